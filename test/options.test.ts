import { join, relative } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { publishedPackages, root } from './support/packages.js'

// Under `exactOptionalPropertyTypes` an option that may be left out does not take `undefined` unless it says so, and
// `{ sealing: process.env.KEY ? { keys: [process.env.KEY] } : undefined }` does not compile.
test('whatever users may leave out, they may also give as undefined', { timeout: 120_000 }, () => {
  const { program, entries } = openProgram()
  const walk = new PublicTypes(program.getTypeChecker())
  for (const entry of entries) walk.visitModule(program.getSourceFile(entry) as ts.SourceFile)
  expect(walk.optional).toBeGreaterThan(50)
  expect(walk.refusing).toEqual([])
})

/** What users get from us and hand on to others, who may take no `undefined`. */
const given: ReadonlySet<string> = new Set(['SetCookie'])

/** Follows all types that exported names lead to, within our packages. */
class PublicTypes {
  optional = 0
  readonly refusing: string[] = []
  readonly #checker: ts.TypeChecker
  readonly #seen = new Set<ts.Symbol>()

  constructor(checker: ts.TypeChecker) {
    this.#checker = checker
  }

  visitModule(file: ts.SourceFile): void {
    const module = this.#checker.getSymbolAtLocation(file)
    for (const exported of module ? this.#checker.getExportsOfModule(module) : []) this.#visitSymbol(exported)
  }

  #visitSymbol(symbol: ts.Symbol): void {
    const target = symbol.flags & ts.SymbolFlags.Alias ? this.#checker.getAliasedSymbol(symbol) : symbol
    if (this.#seen.has(target)) return
    this.#seen.add(target)
    for (const declaration of target.declarations ?? []) {
      if (!declaration.getSourceFile().fileName.includes('/node_modules/')) this.#visit(declaration)
    }
  }

  /** What stands in a body, or in a private member, no user sees. */
  #visit(node: ts.Node): void {
    if (ts.isBlock(node) || (ts.isClassElement(node) && node.name !== undefined && ts.isPrivateIdentifier(node.name))) return
    if ((ts.isPropertySignature(node) || ts.isMappedTypeNode(node)) && node.questionToken) this.#check(node)
    const name = ts.isTypeReferenceNode(node)
      ? node.typeName
      : ts.isExpressionWithTypeArguments(node)
        ? node.expression
        : undefined
    const symbol = name && this.#checker.getSymbolAtLocation(name)
    if (symbol) this.#visitSymbol(symbol)
    ts.forEachChild(node, (child) => this.#visit(child))
  }

  #check(node: ts.PropertySignature | ts.MappedTypeNode): void {
    this.optional++
    if (node.type !== undefined && admitsUndefined(node.type)) return
    if (ts.isInterfaceDeclaration(node.parent) && given.has(node.parent.name.text)) return
    const file = node.getSourceFile()
    const { line } = file.getLineAndCharacterOfPosition(node.getStart())
    this.refusing.push(`${relative(root, file.fileName)}:${line + 1} ${node.getText().replace(/\s+/g, ' ')}`)
  }
}

/** `never` stands where there must be nothing. */
function admitsUndefined(type: ts.TypeNode): boolean {
  if (ts.isUnionTypeNode(type)) return type.types.some(admitsUndefined)
  return type.kind === ts.SyntaxKind.UndefinedKeyword || type.kind === ts.SyntaxKind.NeverKeyword
}

function openProgram(): { program: ts.Program; entries: string[] } {
  const config = ts.getParsedCommandLineOfConfigFile(join(root, 'test/tsconfig.json'), {}, {
    ...ts.sys,
    onUnRecoverableConfigFileDiagnostic: () => {},
  } as ts.ParseConfigFileHost)
  const entries = publishedPackages().flatMap(({ folder, manifest }) =>
    Object.values(manifest.exports ?? {}).flatMap((target) =>
      typeof target === 'string' ? [] : [join(folder, target.default.replace('./dist/', 'src/').replace(/\.js$/, '.ts'))],
    ),
  )
  return { program: ts.createProgram(entries, config?.options ?? {}), entries }
}
