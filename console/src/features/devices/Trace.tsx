import { Alert, Button, Group, Stack, Text, UnstyledButton } from '@mantine/core'
import {
  IconActivityHeartbeat,
  IconAlertTriangle,
  IconArrowLeft,
  IconArrowRight,
  IconPlayerPlay,
  IconPlayerStop,
  IconPoint,
  IconTrash,
} from '@tabler/icons-react'
import { type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { type TraceState, useTrace } from '@/api/trace'
import type { TracedPacket } from '@/api/types'
import { Bytes } from '@/parts/Bytes'
import { Empty } from '@/parts/Empty'
import { useFormat } from '@/parts/format'
import { asText, fromBase64, toHex } from '@/parts/hex'
import { Facts, Panel } from '@/parts/Panel'
import { Status, type Tone } from '@/parts/Status'
import classes from './Trace.module.css'
import { useCause } from './words'

const KEPT = 500
const TONES: Record<TraceState, Tone> = {
  off: 'quiet',
  connecting: 'waiting',
  live: 'good',
  lost: 'bad',
  time: 'quiet',
  rights: 'bad',
}

interface Row {
  key: number
  packet: TracedPacket
}

/** The packets of a device's connections as they come and go, for a quarter of an hour. */
export function Trace({ deviceId }: { deviceId: string }) {
  const { t } = useTranslation()
  const format = useFormat()
  const [on, setOn] = useState(false)
  const [rows, setRows] = useState<Row[]>([])
  const [dropped, setDropped] = useState(0)
  const [opened, setOpened] = useState<number>()
  const { state, begun } = useTrace(deviceId, on, {
    packets: (packets) =>
      setRows((before) => {
        const next = (before[0]?.key ?? 0) + 1
        const fresh = packets.map((packet, place) => ({ key: next + place, packet }))
        return [...fresh.reverse(), ...before].slice(0, KEPT)
      }),
    dropped: (count) => setDropped((before) => before + count),
  })
  const watching = on && (state === 'connecting' || state === 'live' || state === 'lost')
  const clear = () => {
    setRows([])
    setDropped(0)
  }
  const start = () => {
    clear()
    setOn(true)
  }
  const stop = () => setOn(false)
  return (
    <Stack>
      <Group justify="space-between">
        <Group gap="lg">
          <span role="status">
            <Status tone={TONES[state]}>{t(`trace.${state}`)}</Status>
          </span>
          {watching && begun && (
            <Text c="dimmed" fz="sm">
              {t('trace.until', { time: format.time(begun.endsAt) })}
            </Text>
          )}
        </Group>
        <Group gap="xs">
          {rows.length > 0 && (
            <Button variant="default" size="compact-md" leftSection={<IconTrash size={15} />} onClick={clear}>
              {t('trace.clear')}
            </Button>
          )}
          {watching ? (
            <Button
              variant="default"
              size="compact-md"
              leftSection={<IconPlayerStop size={15} />}
              onClick={stop}
            >
              {t('trace.stop')}
            </Button>
          ) : (
            <Button
              size="compact-md"
              leftSection={<IconPlayerPlay size={15} />}
              onClick={() => {
                stop()
                // A trace that has ended begins anew once the former one is put away.
                setTimeout(start)
              }}
            >
              {t('trace.start')}
            </Button>
          )}
        </Group>
      </Group>
      {dropped > 0 && (
        <Alert color="yellow" icon={<IconAlertTriangle size={18} />}>
          {t('trace.dropped', { count: dropped })}
        </Alert>
      )}
      {watching && begun && !begun.content && <Alert color="blue">{t('trace.withoutContent')}</Alert>}
      {rows.length === 0 ? (
        <Panel>
          <Empty
            icon={IconActivityHeartbeat}
            title={watching ? t('trace.waitingTitle') : t('trace.emptyTitle')}
          >
            {watching ? t('trace.waiting') : t('trace.empty')}
          </Empty>
        </Panel>
      ) : (
        <Panel title={t('trace.packets')} flush>
          <div className={classes.log} role="log" aria-label={t('trace.packets')} tabIndex={0}>
            {rows.map(({ key, packet }) => (
              <Packet
                key={key}
                packet={packet}
                opened={opened === key}
                toggle={() => setOpened(opened === key ? undefined : key)}
              />
            ))}
          </div>
        </Panel>
      )}
    </Stack>
  )
}

function Packet({ packet, opened, toggle }: { packet: TracedPacket; opened: boolean; toggle: () => void }) {
  const { t, i18n } = useTranslation()
  const format = useFormat()
  const words = useWords(packet)
  const kind = i18n.exists(`trace.kinds.${packet.kind}`)
    ? t(`trace.kinds.${packet.kind}` as never)
    : packet.kind
  const bad = packet.kind === 'malformed' || packet.codes.some((code) => code >= 0x80)
  const Way =
    packet.direction === 'in' ? IconArrowRight : packet.direction === 'out' ? IconArrowLeft : IconPoint
  const way = packet.direction === 'in' ? t('trace.in') : packet.direction === 'out' ? t('trace.out') : ''
  return (
    <>
      <UnstyledButton className={classes.packet} onClick={toggle} aria-expanded={opened}>
        <Text span fz="sm" c="dimmed">
          {`${format.time(packet.at)}.${packet.at.slice(20, 23)}`}
        </Text>
        {way ? <Way size={15} role="img" aria-label={way} /> : <Way size={15} aria-hidden />}
        <Text
          span
          fz="sm"
          className={classes.kind}
          c={bad ? 'red' : undefined}
          fw={packet.direction ? 500 : 400}
        >
          {kind}
        </Text>
        <Text span fz="sm" className={classes.words} c={bad ? 'red' : undefined}>
          {words}
        </Text>
      </UnstyledButton>
      {opened && <Details packet={packet} way={way} />}
    </>
  )
}

/** Say in one line what a packet is about. */
function useWords(packet: TracedPacket): string {
  const { t } = useTranslation()
  const cause = useCause()
  const format = useFormat()
  const words: string[] = []
  if (packet.topic !== null) words.push(packet.topic)
  const details = packet.details as Record<string, unknown>
  if (packet.kind === 'CONNECT') words.push(`MQTT ${details.version}`, String(details.clientId))
  if (packet.kind === 'SUBSCRIBE') {
    words.push(...(details.subscriptions as { filter: string }[]).map((one) => one.filter))
  }
  if (packet.kind === 'UNSUBSCRIBE') words.push(...(details.filters as string[]))
  if (packet.kind === 'opened' || packet.kind === 'joined') words.push(String(details.address))
  if (packet.kind === 'closed') words.push(cause(String(details.cause)))
  if (packet.qos !== null) words.push(`QoS ${packet.qos}`)
  if (packet.dup) words.push('DUP')
  if (packet.retain) words.push(t('trace.retain'))
  if (packet.reasons.some((_, at) => packet.codes[at] !== 0)) words.push(...packet.reasons)
  if (packet.packetId !== null) words.push(`#${packet.packetId}`)
  if (packet.payloadSize !== null) words.push(format.bytes(packet.payloadSize))
  if (packet.payload) words.push(excerpt(fromBase64(packet.payload)))
  return words.join(' · ')
}

const EXCERPT = 48

function excerpt(bytes: Uint8Array<ArrayBuffer>): string {
  const text = asText(bytes) ?? toHex(bytes.slice(0, EXCERPT / 3))
  return text.length > EXCERPT ? `${text.slice(0, EXCERPT)} …` : text
}

function Details({ packet, way }: { packet: TracedPacket; way: string }) {
  const { t } = useTranslation()
  const format = useFormat()
  const rows: [string, ReactNode][] = []
  if (way) rows.push([t('trace.direction'), way])
  if (packet.size) rows.push([t('trace.size'), format.bytes(packet.size)])
  if (packet.packetId !== null) rows.push([t('trace.packetId'), packet.packetId])
  if (packet.qos !== null) rows.push(['QoS', packet.qos])
  if (packet.codes.length) {
    const said = packet.codes.map(
      (code, at) => `0x${code.toString(16).padStart(2, '0')} ${packet.reasons[at] ?? ''}`,
    )
    rows.push([t('trace.reason'), said.join(', ')])
  }
  if (packet.clientId) rows.push([t('devices.clientId'), packet.clientId])
  rows.push([t('trace.connection'), packet.connection])
  const named = [...Object.entries(packet.details as Record<string, unknown>), ...packet.properties] as [
    string,
    unknown,
  ][]
  for (const [name, value] of named) rows.push([name, plain(value, t('trace.hidden'))])
  return (
    <Stack className={classes.details} gap="sm">
      <Facts rows={rows.map(([term, value], at) => [repeated(rows, term, at), value])} />
      {packet.payload && <Bytes bytes={fromBase64(packet.payload)} />}
      {packet.payloadSize !== null && !packet.payload && packet.payloadSize > 0 && (
        <Text fz="sm" c="dimmed">
          {t('trace.withoutContent')}
        </Text>
      )}
    </Stack>
  )
}

/** Number the second and later of several terms of one name, such as user properties. */
function repeated(rows: [string, ReactNode][], term: string, at: number): string {
  const before = rows.slice(0, at).filter(([other]) => other === term).length
  return before ? `${term} ${before + 1}` : term
}

function plain(value: unknown, hidden: string): string {
  if (value === null) return hidden
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value.join(' = ')
  return typeof value === 'object' ? JSON.stringify(value) : String(value)
}
