import { Text } from '@mantine/core'
import { IconPlugConnected } from '@tabler/icons-react'
import { useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import type { Program } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { useAddress } from '@/parts/address'
import { Confirm } from '@/parts/Confirm'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { Filters } from '@/parts/Filters'
import { useConnectionColumns } from './columns'
import { endProgram, listPrograms } from './queries'

/** Programs that are connected now with API keys, with the means to end a connection. */
export function Programs() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const { organizationId, can } = useSession()
  const [{ q, sort }, setAddress] = useAddress()
  const [ending, setEnding] = useState<Program | null>(null)
  const filter = { organizationId, q, sort }
  const list = usePages(['connections', 'programs', filter], (after) => listPrograms(filter, after), {
    refetchInterval: 5_000,
  })
  const columns = useConnectionColumns<Program>(setEnding, (row) => can('users:manage', row.organizationId))
  return (
    <>
      <DataList
        name="programs"
        label={t('connections.programs')}
        list={list}
        rowKey={(row) => row.id}
        sort={sort ?? '-connectedAt'}
        onSort={(next) => setAddress({ tab: 'programs', q, sort: next })}
        tools={
          <Filters
            name="programs"
            value={{ q }}
            onChange={(next) => setAddress({ tab: 'programs', ...next, sort })}
            search="q"
            placeholder={t('connections.searchPrograms')}
          />
        }
        columns={[
          {
            key: 'key',
            label: t('connections.key'),
            sort: 'keyName',
            cell: (row) => (
              <Text span fw={600}>
                {row.keyName}
              </Text>
            ),
          },
          ...columns,
        ]}
        empty={
          <Empty icon={IconPlugConnected} title={t('connections.noPrograms')}>
            {t('connections.noProgramsHelp')}
          </Empty>
        }
      />
      {ending && (
        <Confirm
          title={t('connections.endTitle')}
          action={t('connections.end')}
          act={() => endProgram(ending.id)}
          onClose={() => setEnding(null)}
          onDone={() => void client.invalidateQueries({ queryKey: ['connections'] })}
        >
          {t('connections.endProgram', { name: ending.keyName })}
        </Confirm>
      )}
    </>
  )
}
