import { Button, Drawer, Group, Menu, Stack, Text } from '@mantine/core'
import { IconDownload, IconHistory, IconSignature } from '@tabler/icons-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { queryString } from '@/api/curl'
import { download } from '@/api/download'
import { usePages } from '@/api/pages'
import type { Fact } from '@/api/types'
import { useSession } from '@/features/auth/session'
import { useAddress } from '@/parts/address'
import { CopyValue } from '@/parts/Copy'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { useFailureText } from '@/parts/Failure'
import { Filters } from '@/parts/Filters'
import { useFormat } from '@/parts/format'
import { failed } from '@/parts/notify'
import { Page } from '@/parts/Page'
import { Facts } from '@/parts/Panel'
import { Time } from '@/parts/Time'
import { Difference } from './Difference'
import { difference } from './difference'
import { Proof } from './Proof'
import { listFacts } from './queries'
import { useFactName, useFieldName } from './words'

/** Who did what, when, to which thing. */
export function Audit() {
  const { t } = useTranslation()
  const format = useFormat()
  const name = useFactName()
  const fieldName = useFieldName()
  const text = useFailureText()
  const { organizationId } = useSession()
  const [address, setAddress] = useAddress()
  const [looked, setLooked] = useState<Fact | null>(null)
  const filter = { name: address.name, organizationId }
  const list = usePages(['audit', 'list', filter], (after) => listFacts(filter, after), {
    refetchInterval: 10_000,
  })
  const save = (type: string, file: string) =>
    void download(`/api/v1/audit${queryString(filter)}`, type, file).catch((failure) => failed(text(failure)))
  return (
    <Page
      title={t('places.audit')}
      lead={t('audit.lead')}
      calls={[{ path: '/api/v1/audit', query: filter }]}
      action={
        <Group gap="xs">
          <Button
            variant="default"
            leftSection={<IconSignature size={16} />}
            onClick={() => setAddress({ ...address, proof: 'true' })}
          >
            {t('proof.open')}
          </Button>
          <Menu position="bottom-end" shadow="md">
            <Menu.Target>
              <Button variant="default" leftSection={<IconDownload size={16} />}>
                {t('audit.export')}
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item onClick={() => save('text/csv', 'audit.csv')}>CSV</Menu.Item>
              <Menu.Item onClick={() => save('application/x-ndjson', 'audit.ndjson')}>NDJSON</Menu.Item>
            </Menu.Dropdown>
          </Menu>
        </Group>
      }
    >
      <DataList
        name="audit"
        label={t('places.audit')}
        list={list}
        rowKey={(fact) => fact.id}
        onOpen={setLooked}
        tools={
          <Filters
            name="audit"
            search="name"
            placeholder={t('audit.search')}
            value={{ name: address.name }}
            onChange={setAddress}
          />
        }
        columns={[
          { key: 'name', label: t('audit.what'), width: '24%', cell: (fact) => name(fact.name) },
          { key: 'caller', label: t('audit.who'), cell: (fact) => fact.callerLabel },
          {
            key: 'change',
            label: t('audit.change'),
            cell: (fact) =>
              difference(fact.before, fact.after)
                .map(([field]) => fieldName(field))
                .join(', ') || '–',
          },
          {
            key: 'origin',
            label: t('audit.origin'),
            width: '150px',
            extra: true,
            cell: (fact) => fact.origin ?? '–',
          },
          { key: 'at', label: t('targets.when'), width: '140px', cell: (fact) => <Time at={fact.at} /> },
        ]}
        empty={
          <Empty icon={IconHistory} title={t('audit.emptyTitle')}>
            {t('audit.empty')}
          </Empty>
        }
      />
      {address.proof && <Proof onClose={() => setAddress({ ...address, proof: undefined })} />}
      <Drawer
        opened={looked !== null}
        onClose={() => setLooked(null)}
        position="right"
        size={520}
        title={looked ? name(looked.name) : ''}
        transitionProps={{ duration: 120 }}
      >
        {looked && (
          <Stack>
            <Facts
              rows={[
                [t('targets.when'), format.instant(looked.at)],
                [t('audit.who'), `${looked.callerLabel} (${t(`callerKind.${looked.callerKind}` as never)})`],
                [t('audit.origin'), looked.origin],
                [t('audit.subject'), <CopyValue key="subject" value={looked.subjectId} />],
              ]}
            />
            <Text fw={600}>{t('audit.change')}</Text>
            <Difference before={looked.before} after={looked.after} />
          </Stack>
        )}
      </Drawer>
    </Page>
  )
}
