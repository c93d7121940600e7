import { ActionIcon, Group, Menu } from '@mantine/core'
import { IconDots, IconPlugConnectedX } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import type { Presence, Program } from '@/api/types'
import type { Column } from '@/parts/DataList'
import { useFormat } from '@/parts/format'
import { Time } from '@/parts/Time'

type Connected = Presence | Program

/** The columns that connections of devices and of programs have in common. */
export function useConnectionColumns<T extends Connected>(
  onEnd: (row: T) => void,
  mayEnd: (row: T) => boolean,
): Column<T>[] {
  const { t } = useTranslation()
  const format = useFormat()
  return [
    { key: 'clientId', label: t('devices.clientId'), cell: (row) => row.clientId },
    {
      key: 'protocol',
      label: t('devices.protocol'),
      width: '120px',
      cell: (row) => `${row.protocol.toUpperCase()} ${row.version}`,
    },
    {
      key: 'tls',
      label: t('devices.encryption'),
      width: '120px',
      cell: (row) => (row.tls ? row.terms?.tlsVersion.replace('TLSv', 'TLS ') || 'TLS' : t('devices.plain')),
    },
    { key: 'address', label: t('devices.address'), width: '140px', cell: (row) => row.address || '–' },
    {
      key: 'listener',
      label: t('connections.listener'),
      width: '160px',
      extra: true,
      cell: (row) => row.listener ?? '–',
    },
    {
      key: 'roundTrip',
      label: t('connections.roundTrip'),
      width: '110px',
      numeric: true,
      cell: (row) => {
        const ms = row.figures?.roundTripMs
        return typeof ms === 'number' ? `${format.number(ms, ms < 10 ? 1 : 0)} ms` : '–'
      },
    },
    {
      key: 'queued',
      label: t('connections.queued'),
      width: '100px',
      numeric: true,
      cell: (row) => {
        const queued = row.figures?.queued
        return typeof queued === 'number' ? format.number(queued) : '–'
      },
    },
    {
      key: 'since',
      label: t('connections.since'),
      sort: 'connectedAt',
      width: '150px',
      cell: (row) => (
        <Group gap={6} wrap="nowrap" justify="space-between">
          <Time at={row.connectedAt} />
          {mayEnd(row) && (
            <Menu position="bottom-end" shadow="md">
              <Menu.Target>
                <ActionIcon aria-label={t('common.more')}>
                  <IconDots size={16} />
                </ActionIcon>
              </Menu.Target>
              <Menu.Dropdown>
                <Menu.Item c="red" leftSection={<IconPlugConnectedX size={16} />} onClick={() => onEnd(row)}>
                  {t('connections.end')}
                </Menu.Item>
              </Menu.Dropdown>
            </Menu>
          )}
        </Group>
      ),
    },
  ]
}
