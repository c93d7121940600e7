import { Group, Skeleton, Table, Text, TextInput } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Failure } from '@/parts/Failure'
import { useFormat } from '@/parts/format'
import { Panel } from '@/parts/Panel'
import { statementQuery } from './queries'

/** A month, day by day: sent = accepted + dead + pending. */
export function Statement({ targetId }: { targetId: string }) {
  const { t } = useTranslation()
  const format = useFormat()
  const [month, setMonth] = useState(() => new Date().toISOString().slice(0, 7))
  const found = useQuery(statementQuery(targetId, month))
  const sum = found.data
  return (
    <Panel
      title={t('targets.statement')}
      action={
        <TextInput
          type="month"
          aria-label={t('statement.month')}
          value={month}
          max={new Date().toISOString().slice(0, 7)}
          onChange={(event) => event.currentTarget.value && setMonth(event.currentTarget.value)}
        />
      }
    >
      {found.error ? (
        <Failure of={found.error} retry={() => void found.refetch()} />
      ) : !sum ? (
        <Skeleton height={240} />
      ) : (
        <>
          <Group gap="xs" mb="sm">
            <Text c="dimmed" fz="sm">
              {t('statement.help', { zone: sum.timeZone })}
            </Text>
          </Group>
          <Table.ScrollContainer minWidth={420} type="native" tabIndex={0}>
            <Table>
              <Table.Thead>
                <Table.Tr>
                  <Table.Th>{t('statement.day')}</Table.Th>
                  {(['sent', 'accepted', 'dead', 'pending'] as const).map((one) => (
                    <Table.Th key={one} ta="right">
                      {t(`statement.${one}`)}
                    </Table.Th>
                  ))}
                </Table.Tr>
              </Table.Thead>
              <Table.Tbody>
                {sum.days.map((day) => (
                  <Table.Tr key={day.day}>
                    <Table.Td>{format.date(`${day.day}T12:00:00`)}</Table.Td>
                    <Table.Td ta="right">{format.number(day.sent)}</Table.Td>
                    <Table.Td ta="right">{format.number(day.accepted)}</Table.Td>
                    <Table.Td ta="right">{format.number(day.dead)}</Table.Td>
                    <Table.Td ta="right">{format.number(day.pending)}</Table.Td>
                  </Table.Tr>
                ))}
              </Table.Tbody>
              <Table.Tfoot>
                <Table.Tr>
                  <Table.Th>{t('statement.total')}</Table.Th>
                  <Table.Th ta="right">{format.number(sum.sent)}</Table.Th>
                  <Table.Th ta="right">{format.number(sum.accepted)}</Table.Th>
                  <Table.Th ta="right">{format.number(sum.dead)}</Table.Th>
                  <Table.Th ta="right">{format.number(sum.pending)}</Table.Th>
                </Table.Tr>
              </Table.Tfoot>
            </Table>
          </Table.ScrollContainer>
        </>
      )}
    </Panel>
  )
}
