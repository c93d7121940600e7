import { Button, Stack, Table, Text, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { IconSearch, IconUserPlus } from '@tabler/icons-react'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { Failure, useFailureText } from '@/parts/Failure'
import { failed, told } from '@/parts/notify'
import { Status } from '@/parts/Status'
import { findPeople, giveAccount } from './queries'

/** Find people in the directory, and make their accounts before they first sign in. */
export function People({ storeId }: { storeId: string }) {
  const { t } = useTranslation()
  const text = useFailureText()
  const [typed, setTyped] = useState('')
  const [q] = useDebouncedValue(typed, 400)
  const found = useQuery({
    queryKey: ['user-stores', storeId, 'people', q],
    queryFn: () => findPeople(storeId, q),
    retry: false,
  })
  const give = useMutation({
    mutationFn: (entry: string) => giveAccount(storeId, entry),
    onSuccess: () => told(t('userStores.hasAccount')),
    onError: (failure) => failed(text(failure)),
  })
  const people = found.data?.items
  return (
    <Stack>
      <TextInput
        label={t('userStores.peopleFind')}
        leftSection={<IconSearch size={16} />}
        value={typed}
        maw={420}
        onChange={(event) => setTyped(event.currentTarget.value)}
      />
      {found.error && <Failure of={found.error} retry={() => void found.refetch()} />}
      {people?.length === 0 && <Text c="dimmed">{t('userStores.peopleNone')}</Text>}
      {!!people?.length && (
        <Table.ScrollContainer minWidth={320}>
          <Table verticalSpacing={6}>
            <Table.Tbody>
              {people.map((one) => (
                <Table.Tr key={one.id}>
                  <Table.Td>
                    <Text fw={600}>{one.name}</Text>
                    <Text fz="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
                      {[one.login, one.email].filter(Boolean).join(' · ')}
                    </Text>
                  </Table.Td>
                  <Table.Td>
                    <Status tone={one.enabled ? 'good' : 'quiet'}>
                      {t(one.enabled ? 'users.open' : 'users.closed')}
                    </Status>
                  </Table.Td>
                  <Table.Td ta="right">
                    <Button
                      size="compact-sm"
                      variant="default"
                      leftSection={<IconUserPlus size={14} />}
                      loading={give.isPending && give.variables === one.id}
                      onClick={() => give.mutate(one.id)}
                    >
                      {t('userStores.giveAccount')}
                    </Button>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Stack>
  )
}
