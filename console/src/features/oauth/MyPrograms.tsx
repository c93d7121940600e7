import { Button, Skeleton, Table, Text } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { useSession } from '@/features/auth/session'
import { Failure, useFailureText } from '@/parts/Failure'
import { failed, told } from '@/parts/notify'
import { Panel } from '@/parts/Panel'
import { Time } from '@/parts/Time'
import { authorizationsQuery, endAuthorization } from './queries'

/** Programs that act in one's own name. */
export function MyPrograms() {
  const { t } = useTranslation()
  const { me } = useSession()
  const client = useQueryClient()
  const text = useFailureText()
  const found = useQuery(authorizationsQuery)
  const end = useMutation({
    mutationFn: endAuthorization,
    onSuccess: () => told(t('programs.ended')),
    onError: (failure) => failed(text(failure)),
    onSettled: () => void client.invalidateQueries({ queryKey: ['authorizations'] }),
  })
  const mine = found.data?.items.filter((one) => one.userId === me.id)
  return (
    <Panel title={t('programs.mine')}>
      {found.error ? (
        <Failure of={found.error} />
      ) : !mine ? (
        <Skeleton height={60} />
      ) : mine.length === 0 ? (
        <Text c="dimmed">{t('programs.noneMine')}</Text>
      ) : (
        <Table>
          <Table.Tbody>
            {mine.map((one) => (
              <Table.Tr key={one.id}>
                <Table.Td>
                  <Text>{one.clientName}</Text>
                  <Text fz="sm" c="dimmed">
                    {one.scopes.map((scope) => t(`rights.${scope.replace(':', '_')}` as never)).join(', ')}
                  </Text>
                  <Time at={one.seenAt} fz="sm" c="dimmed" />
                </Table.Td>
                <Table.Td w={130} ta="right">
                  <Button size="compact-sm" variant="default" onClick={() => end.mutate(one.id)}>
                    {t('programs.takeItBack')}
                  </Button>
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </Panel>
  )
}
