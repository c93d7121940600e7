import { Badge, Button, Menu, Skeleton, Text, UnstyledButton } from '@mantine/core'
import { IconDownload } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { download } from '@/api/download'
import { useAddress } from '@/parts/address'
import { Failure, useFailureText } from '@/parts/Failure'
import { failed } from '@/parts/notify'
import { Page } from '@/parts/Page'
import classes from './ApiPage.module.css'
import { callsOf } from './document'
import { Prose } from './Prose'
import { apiQuery, documentQuery } from './queries'
import { Trial } from './Trial'

const COLOURS = { GET: 'gray', POST: 'teal.9', PATCH: 'harbour', PUT: 'harbour', DELETE: 'red.9' } as const
const FILES = {
  python: ['clients/python', 'text/x-python', 'py'],
  typescript: ['clients/typescript', 'text/plain', 'ts'],
  document: ['openapi.json', 'application/json', 'openapi.json'],
} as const

/** One area of the API: what it is for, its calls to read and try, and what to take along. */
export function ApiPage() {
  const { t } = useTranslation()
  const { id } = useParams({ strict: false }) as { id: string }
  const [address, setAddress] = useAddress()
  const api = useQuery(apiQuery(id))
  const document = useQuery(documentQuery(id))
  if (api.isError) return <Failure of={api.error} />
  return (
    <Page
      title={api.data?.title ?? '…'}
      crumbs={[{ label: t('places.apis'), to: '/apis' }]}
      action={<Take id={id} />}
      calls={[{ path: `/api/v1/apis/${id}` }, { path: `/api/v1/apis/${id}/openapi.json` }]}
    >
      {api.data ? <Prose dimmed>{api.data.description}</Prose> : <Skeleton h={48} />}
      {document.isError && <Failure of={document.error} retry={() => void document.refetch()} />}
      {document.data ? (
        <div className={classes.calls}>
          {callsOf(document.data).map((call) => {
            const open = address.call === call.id
            return (
              <section key={call.id} className={classes.call}>
                <UnstyledButton
                  className={classes.head}
                  aria-expanded={open}
                  onClick={() => setAddress({ call: open ? undefined : call.id })}
                >
                  <Badge radius="sm" w={68} color={COLOURS[call.method]}>
                    {call.method}
                  </Badge>
                  <Text span ff="monospace" fz="sm" className={classes.path}>
                    {call.path}
                  </Text>
                  <Text span fz="sm" c="dimmed" td={call.deprecated ? 'line-through' : undefined}>
                    {call.text.split('\n\n')[0]?.replaceAll('`', '')}
                  </Text>
                </UnstyledButton>
                {open && (
                  <div className={classes.body}>
                    <Trial call={call} />
                  </div>
                )}
              </section>
            )
          })}
        </div>
      ) : (
        !document.isError && <Skeleton h={320} mt="md" />
      )}
    </Page>
  )
}

function Take({ id }: { id: string }) {
  const { t } = useTranslation()
  const text = useFailureText()
  const name = `moorage_${id.replaceAll('-', '_')}`
  return (
    <Menu position="bottom-end" shadow="md">
      <Menu.Target>
        <Button leftSection={<IconDownload size={16} />}>{t('apis.clients')}</Button>
      </Menu.Target>
      <Menu.Dropdown>
        {(Object.keys(FILES) as (keyof typeof FILES)[]).map((kind) => {
          const [path, type, suffix] = FILES[kind]
          return (
            <Menu.Item
              key={kind}
              onClick={() =>
                void download(`/api/v1/apis/${id}/${path}`, type, `${name}.${suffix}`).catch((failure) =>
                  failed(text(failure)),
                )
              }
            >
              {t(`apis.${kind}`)}
            </Menu.Item>
          )
        })}
      </Menu.Dropdown>
    </Menu>
  )
}
