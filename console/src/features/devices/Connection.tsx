import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import type { Presence } from '@/api/types'
import { useFormat } from '@/parts/format'
import { Facts, Panel } from '@/parts/Panel'
import { Status } from '@/parts/Status'
import { useCause } from './words'

/** A device's connection: over what, on which terms, and what was measured of it. */
export function Connection({ connection }: { connection: Presence }) {
  const { t } = useTranslation()
  const format = useFormat()
  const cause = useCause()
  const { terms, figures } = connection
  const seconds = (value: number) => format.duration(`PT${value}S`)
  const counted = (of: (value: number) => string, inward?: number | null, outward?: number | null) =>
    typeof inward === 'number' && typeof outward === 'number' ? `${of(inward)} / ${of(outward)}` : null
  const rows: [string, ReactNode][] = [
    [
      t('fields.state'),
      <Status key="state" tone={connection.connected ? 'good' : 'quiet'}>
        {connection.connected ? t('connectivity.connected') : t('devices.disconnected')}
      </Status>,
    ],
    [
      connection.connected ? t('devices.connectedSince') : t('devices.disconnectedAt'),
      format.instant(connection.disconnectedAt ?? connection.connectedAt),
    ],
  ]
  if (connection.cause) rows.push([t('devices.cause'), cause(connection.cause)])
  rows.push(
    [t('devices.protocol'), `${connection.protocol.toUpperCase()} ${connection.version}`],
    [t('devices.clientId'), connection.clientId || null],
    [t('devices.address'), connection.address || null],
    [
      t('devices.encryption'),
      connection.tls ? terms?.tlsVersion.replace('TLSv', 'TLS ') || 'TLS' : t('devices.plain'),
    ],
  )
  if (terms) {
    if (terms.cipher) rows.push([t('devices.cipher'), terms.cipher])
    rows.push(
      [t('devices.keepAlive'), terms.keepAliveS ? seconds(terms.keepAliveS) : t('devices.noKeepAlive')],
      [
        t('devices.sessionExpiry'),
        terms.sessionExpiryS ? seconds(terms.sessionExpiryS) : t('devices.withConnection'),
      ],
      [
        t('devices.will'),
        terms.will
          ? [
              terms.will.topic,
              `QoS ${terms.will.qos}`,
              terms.will.retain ? t('devices.retained') : '',
              format.bytes(terms.will.size),
              terms.will.delayS ? t('devices.willDelay', { time: seconds(terms.will.delayS) }) : '',
            ]
              .filter(Boolean)
              .join(', ')
          : t('devices.noWill'),
      ],
    )
  }
  if (figures) {
    const { roundTripMs } = figures
    rows.push(
      [
        t('devices.roundTrip'),
        typeof roundTripMs === 'number' ? `${format.number(roundTripMs, roundTripMs < 10 ? 1 : 0)} ms` : null,
      ],
      [t('devices.messagesInOut'), counted((n) => format.number(n), figures.messagesIn, figures.messagesOut)],
      [t('connections.queued'), typeof figures.queued === 'number' ? format.number(figures.queued) : null],
      [t('devices.bytesInOut'), counted(format.bytes, figures.bytesIn, figures.bytesOut)],
    )
  }
  return (
    <Panel title={t('devices.connection')}>
      <Facts rows={rows} />
    </Panel>
  )
}
