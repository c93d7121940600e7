import { Button, Group, Text } from '@mantine/core'
import { IconAppWindow, IconPlus } from '@tabler/icons-react'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import type { OauthClient } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { useMaking } from '@/parts/address'
import { Confirm } from '@/parts/Confirm'
import { CodeBlock } from '@/parts/Copy'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { useFailureText } from '@/parts/Failure'
import { failed } from '@/parts/notify'
import { Page } from '@/parts/Page'
import { SecretModal } from '@/parts/Secret'
import { Time } from '@/parts/Time'
import { EditProgram, NewProgram } from './ProgramForm'
import { listClients, removeClient, rotateSecret } from './queries'

/** By what a program proves itself. */
const proofOf = (one: OauthClient) => {
  if (one.keys.length) return 'withKeys'
  if (one.certificates.length || one.certificateName) return 'withCertificate'
  return one.confidential ? 'confidential' : 'public'
}

/** Programs that people allow things in their name, and that act as themselves (OAuth clients). */
export function Programs() {
  const { t } = useTranslation()
  const client = useQueryClient()
  const text = useFailureText()
  const { can, organizationId } = useSession()
  const [making, setMaking] = useMaking()
  const [shown, setShown] = useState<{ id: string; secret: string } | null>(null)
  const [editing, setEditing] = useState<OauthClient | null>(null)
  const [removing, setRemoving] = useState<OauthClient | null>(null)
  const list = usePages(['oauth-clients', organizationId], (after) => listClients({ organizationId }, after))
  const refresh = () => void client.invalidateQueries({ queryKey: ['oauth-clients'] })
  const rotate = useMutation({
    mutationFn: async (id: string) => ({ id, secret: (await rotateSecret(id)).clientSecret }),
    onSuccess: setShown,
    onError: (failure) => failed(text(failure)),
  })
  const make = can('users:manage') && (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setMaking(true)}>
      {t('programs.new')}
    </Button>
  )
  return (
    <Page
      title={t('places.programs')}
      lead={t('programs.lead')}
      action={make}
      calls={[{ path: '/api/v1/oauth/clients', query: { organizationId } }]}
    >
      <DataList
        name="oauth-clients"
        label={t('places.programs')}
        list={list}
        rowKey={(one) => one.id}
        columns={[
          {
            key: 'name',
            label: t('fields.name'),
            cell: (one) => (
              <>
                {one.name}
                <Text fz="sm" c="dimmed">
                  {t(`programs.${proofOf(one)}`)}
                </Text>
              </>
            ),
          },
          {
            key: 'ways',
            label: t('programs.ways'),
            cell: (one) =>
              one.grantTypes
                .filter((way) => way !== 'refresh_token')
                .map((way) => t(`programs.by.${way.split(':').at(-1)}` as never))
                .join(', '),
          },
          {
            key: 'scopes',
            label: t('programs.scopes'),
            cell: (one) =>
              one.scopes.map((scope) => t(`rights.${scope.replace(':', '_')}` as never)).join(', '),
          },
          {
            key: 'usedAt',
            label: t('apiKeys.used'),
            width: '140px',
            cell: (one) => <Time at={one.usedAt} />,
          },
          {
            key: 'act',
            label: '',
            width: '300px',
            cell: (one) =>
              can('users:manage', one.organizationId) && (
                <Group gap={4} wrap="nowrap">
                  <Button size="compact-sm" variant="subtle" onClick={() => setEditing(one)}>
                    {t('common.edit')}
                  </Button>
                  {proofOf(one) === 'confidential' && (
                    <Button size="compact-sm" variant="subtle" onClick={() => rotate.mutate(one.id)}>
                      {t('programs.rotate')}
                    </Button>
                  )}
                  <Button size="compact-sm" variant="subtle" color="red" onClick={() => setRemoving(one)}>
                    {t('common.remove')}
                  </Button>
                </Group>
              ),
          },
        ]}
        empty={
          <Empty icon={IconAppWindow} title={t('programs.emptyTitle')} action={make}>
            {t('programs.empty')}
          </Empty>
        }
      />
      {making && (
        <NewProgram
          onClose={() => setMaking(false)}
          onMade={(made) => {
            setMaking(false)
            setShown({ id: made.id, secret: made.clientSecret ?? '' })
            refresh()
          }}
        />
      )}
      {editing && (
        <EditProgram
          of={editing}
          onClose={() => setEditing(null)}
          onDone={() => {
            setEditing(null)
            refresh()
          }}
        />
      )}
      {shown && (
        <SecretModal
          title={t(shown.secret ? 'programs.secret' : 'programs.id')}
          secret={shown.secret || shown.id}
          onClose={() => setShown(null)}
        >
          <CodeBlock
            code={`client_id: ${shown.id}\n${window.location.origin}/.well-known/oauth-authorization-server`}
            label={t('programs.id')}
          />
        </SecretModal>
      )}
      {removing && (
        <Confirm
          title={t('programs.remove')}
          action={t('common.remove')}
          act={() => removeClient(removing.id)}
          onClose={() => setRemoving(null)}
          onDone={refresh}
        >
          {t('programs.removeAsk', { name: removing.name })}
        </Confirm>
      )}
    </Page>
  )
}
