import { channel } from 'node:diagnostics_channel'
import type { FieldEvent, FieldwiseEvents, FlightEvent, OperationEvent, SessionEvent, WriteEvent } from 'fieldwise'

/** Says on a channel what the core would say. */
export function tell<K extends keyof FieldwiseEvents>(name: K, event: FieldwiseEvents[K]): void {
  channel(name).publish(event)
}

export function sessionEvent(of: Partial<SessionEvent> = {}): SessionEvent {
  return { store: 'memcached', prefix: '', sid: '11111111-2222-4333-8444-555555555555~ab12', server: 'ab12', ...of }
}

export function fieldEvent(of: Partial<FieldEvent> = {}): FieldEvent {
  return { ...sessionEvent(), field: 'cart', ...of }
}

export function writeEvent(of: Partial<WriteEvent> = {}): WriteEvent {
  return { ...fieldEvent(), bytes: 100, deleted: false, combined: 1, ...of }
}

export function flightEvent(of: Partial<FlightEvent> = {}): FlightEvent {
  return { ...sessionEvent(), requests: 2, duration: 1, answered: true, ...of }
}

export function operationEvent(of: Partial<OperationEvent> = {}): OperationEvent {
  return { ...sessionEvent(), operation: 'get', fields: ['cart'], started: 0, duration: 1, error: undefined, ...of }
}
