/**
 * The contract of a store, and the cases by which one shows that it keeps it. Begin with {@link Store} and {@link runContractCase}.
 *
 * @module fieldwise/store-contract
 */

export type {
  AddRequest,
  AnswerTo,
  Changed,
  CompareRequest,
  Conflict,
  DeleteRequest,
  Done,
  Flight,
  Found,
  GetAndTouchRequest,
  GetRequest,
  Lost,
  Missing,
  ReplaceRequest,
  Same,
  Stale,
  Store,
  StoreAnswer,
  Stored,
  StoreHost,
  StoreRequest,
  StoreResults,
  StoreTraits,
  TouchRequest,
  Unanswered,
  Unsent,
  Version,
} from './lib/api/store.js'
export { contractCases } from './lib/contract/cases.js'
export {
  type ContractCase,
  type ContractHarness,
  type ContractSubject,
  type Outage,
  runContractCase,
} from './lib/contract/harness.js'
