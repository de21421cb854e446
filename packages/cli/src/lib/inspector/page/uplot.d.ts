// The page knows the plotting library by the name under which the inspector serves it.
import uPlot from 'uplot'

export default uPlot
