import type { Broker } from '@/api/types'
import type { Tone } from '@/parts/Status'

export type BrokerState = 'silent' | 'asks' | 'expired' | 'unasked'

export const BROKER_TONE: Record<BrokerState, Tone> = {
  silent: 'quiet',
  asks: 'good',
  expired: 'bad',
  unasked: 'quiet',
}

/** Tell how a broker fares, as far as its questions say; Mosquitto alone asks nothing. */
export function stateOf(broker: Broker): BrokerState {
  if (broker.expiresAt && Date.parse(broker.expiresAt) <= Date.now()) return 'expired'
  if (broker.kind === 'mosquitto') return 'unasked'
  return broker.askedAt ? 'asks' : 'silent'
}

export const KINDS: { value: Broker['kind']; label: string }[] = [
  { value: 'mosquitto', label: 'Mosquitto' },
  { value: 'mosquitto-go-auth', label: 'Mosquitto, mosquitto-go-auth' },
  { value: 'emqx', label: 'EMQX 5' },
  { value: 'vernemq', label: 'VerneMQ' },
  { value: 'rabbitmq', label: 'RabbitMQ' },
  { value: 'nats', label: 'NATS' },
]

/** Those that share a subscription among several connections. */
export const SHARING: Broker['kind'][] = ['mosquitto', 'mosquitto-go-auth', 'emqx', 'vernemq']

export const kindOf = (broker: Broker) => KINDS.find((one) => one.value === broker.kind)?.label ?? broker.kind
