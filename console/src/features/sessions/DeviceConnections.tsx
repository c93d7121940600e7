import { Anchor } from '@mantine/core'
import { IconPlugConnected } from '@tabler/icons-react'
import { useQueryClient } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import type { Presence } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { useAddress } from '@/parts/address'
import { Confirm } from '@/parts/Confirm'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { Filters } from '@/parts/Filters'
import { useConnectionColumns } from './columns'
import { endConnection, listConnections } from './queries'

/** Devices that are connected now, with the means to end a connection. */
export function DeviceConnections() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { organizationId, can } = useSession()
  const [{ q, version, tls, sort }, setAddress] = useAddress()
  const [ending, setEnding] = useState<Presence | null>(null)
  const filter = { organizationId, q, version, tls: tls === undefined ? undefined : tls === 'true', sort }
  const list = usePages(['connections', 'devices', filter], (after) => listConnections(filter, after), {
    refetchInterval: 5_000,
  })
  const columns = useConnectionColumns<Presence>(setEnding, () => can('devices:operate'))
  return (
    <>
      <DataList
        name="connections"
        label={t('places.connections')}
        list={list}
        rowKey={(row) => `${row.deviceId} ${row.clientId}`}
        sort={sort ?? '-connectedAt'}
        onSort={(next) => setAddress({ q, version, tls, sort: next })}
        tools={
          <Filters
            name="connections"
            value={{ q, version, tls }}
            onChange={(next) => setAddress({ ...next, sort })}
            search="q"
            placeholder={t('connections.search')}
            filters={[
              {
                key: 'version',
                label: t('connections.version'),
                options: ['5', '3.1.1'].map((one) => ({ value: one, label: `MQTT ${one}` })),
              },
              {
                key: 'tls',
                label: t('devices.encryption'),
                options: [
                  { value: 'true', label: 'TLS' },
                  { value: 'false', label: t('devices.plain') },
                ],
              },
            ]}
          />
        }
        columns={[
          {
            key: 'device',
            label: t('fields.device'),
            cell: (row) => (
              <Anchor component={Link} to={`/devices/${row.deviceId}`} fw={600}>
                {row.deviceName}
              </Anchor>
            ),
          },
          ...columns,
        ]}
        empty={
          <Empty icon={IconPlugConnected} title={t('connections.noDevices')}>
            {t('connections.noDevicesHelp')}
          </Empty>
        }
      />
      {ending && (
        <Confirm
          title={t('connections.endTitle')}
          action={t('connections.end')}
          act={() => endConnection(ending.deviceId, ending.clientId)}
          onClose={() => setEnding(null)}
          onDone={() => void client.invalidateQueries({ queryKey: ['connections'] })}
        >
          {t('connections.endDevice', { name: ending.deviceName, client: ending.clientId })}
        </Confirm>
      )}
    </>
  )
}
