import { Button, Drawer, Group, Stack, Text } from '@mantine/core'
import { IconDownload, IconSignature } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'
import { queryString } from '@/api/curl'
import { download } from '@/api/download'
import { useSession } from '@/features/auth/session'
import { organizationsQuery } from '@/features/organizations/queries'
import { CodeBlock } from '@/parts/Copy'
import { Empty } from '@/parts/Empty'
import { FormFailure, useFailureText } from '@/parts/Failure'
import { useFormat } from '@/parts/format'
import { failed, told } from '@/parts/notify'
import { Facts, Panel } from '@/parts/Panel'
import { Status } from '@/parts/Status'
import { type Chain, chainsQuery, INSTALLATION, lastCheckpointQuery, signChain } from './queries'

const VERIFY = 'moorage audit verify audit.ndjson \\\n  --checkpoint checkpoints.ndjson --key keys.json'

/** What proves the audit: where its chains stand, what signs them, how to verify an export. */
export function Proof({ onClose }: { onClose: () => void }) {
  const { t } = useTranslation()
  const text = useFailureText()
  const { organizationId } = useSession()
  const chains = useQuery(chainsQuery)
  const shown = (chains.data?.items ?? []).filter(
    (one) => organizationId === undefined || one.organizationId === organizationId,
  )
  const save = (path: string, type: string, file: string) =>
    void download(path, type, file).catch((failure) => failed(text(failure)))
  const query = queryString({ organizationId })
  return (
    <Drawer opened onClose={onClose} position="right" size={560} title={t('proof.title')}>
      <Stack>
        <Text>{t('proof.lead')}</Text>
        <FormFailure of={chains.error} />
        {chains.data && shown.length === 0 && (
          <Empty icon={IconSignature} title={t('proof.emptyTitle')}>
            {t('proof.empty')}
          </Empty>
        )}
        {shown.map((chain) => (
          <ChainPanel key={chain.organizationId ?? INSTALLATION} chain={chain} />
        ))}
        <Text fw={600}>{t('proof.verify')}</Text>
        <Text fz="sm">{t('proof.verifyHelp')}</Text>
        <Group gap="xs">
          <Button
            variant="default"
            leftSection={<IconDownload size={16} />}
            onClick={() =>
              save(`/api/v1/audit/checkpoints${query}`, 'application/x-ndjson', 'checkpoints.ndjson')
            }
          >
            {t('proof.checkpoints')}
          </Button>
          <Button
            variant="default"
            leftSection={<IconDownload size={16} />}
            onClick={() => save('/api/v1/audit/keys', 'application/json', 'keys.json')}
          >
            {t('proof.keys')}
          </Button>
        </Group>
        <CodeBlock code={VERIFY} label={t('proof.verify')} />
      </Stack>
    </Drawer>
  )
}

function ChainPanel({ chain }: { chain: Chain }) {
  const { t } = useTranslation()
  const format = useFormat()
  const client = useQueryClient()
  const organizations = useQuery(organizationsQuery).data?.items ?? []
  const last = useQuery(lastCheckpointQuery(chain.organizationId)).data
  const name = chain.organizationId
    ? (organizations.find((one) => one.id === chain.organizationId)?.name ?? chain.organizationId)
    : t('proof.installation')
  const waiting = chain.place - chain.signedPlace
  const sign = useMutation({
    mutationFn: () => signChain(chain.organizationId),
    onSuccess: () => {
      told(t('proof.signed'))
      void client.invalidateQueries({ queryKey: ['audit', 'proof'] })
    },
  })
  return (
    <Panel
      title={name}
      action={
        <Button
          variant="subtle"
          size="compact-sm"
          leftSection={<IconSignature size={16} />}
          loading={sign.isPending}
          disabled={waiting === 0}
          onClick={() => sign.mutate()}
        >
          {t('proof.sign')}
        </Button>
      }
    >
      <Stack gap="xs">
        <Status tone={waiting === 0 ? 'good' : 'info'}>
          {waiting === 0 ? t('proof.allSigned') : t('proof.waiting', { count: waiting })}
        </Status>
        <Facts
          rows={[
            [t('proof.sealed'), format.number(chain.place)],
            [
              t('proof.last'),
              last
                ? t('proof.upTo', { place: format.number(last.place), at: format.instant(last.at) })
                : t('proof.none'),
            ],
            ...(chain.droppedPlace
              ? ([[t('proof.dropped'), format.number(chain.droppedPlace)]] as [string, string][])
              : []),
          ]}
        />
        <FormFailure of={sign.error} />
      </Stack>
    </Panel>
  )
}
