import { Button, Drawer, Group, Skeleton, Stack, Text } from '@mantine/core'
import { IconVersions } from '@tabler/icons-react'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import { Code } from '@/parts/Code'
import { DataList } from '@/parts/DataList'
import { Empty } from '@/parts/Empty'
import { FormFailure } from '@/parts/Failure'
import { told } from '@/parts/notify'
import { Status } from '@/parts/Status'
import { Time } from '@/parts/Time'
import { listVersions, restoreVersion, versionQuery } from './queries'
import { languageOf } from './words'

/** The scripts a decoder has had. */
export function Versions({ decoderId, kind, may }: { decoderId: string; kind: string; may: boolean }) {
  const { t } = useTranslation()
  const [looked, setLooked] = useState<{ n: number; current: boolean } | null>(null)
  const list = usePages(['decoders', decoderId, 'versions'], (after) => listVersions(decoderId, after))
  return (
    <>
      <DataList
        name="decoder-versions"
        label={t('decoders.versions')}
        list={list}
        rowKey={(v) => String(v.n)}
        onOpen={setLooked}
        columns={[
          { key: 'n', label: t('decoders.version'), width: '120px', cell: (v) => v.n },
          {
            key: 'state',
            label: t('fields.state'),
            width: '150px',
            cell: (v) =>
              v.current ? (
                <Status tone="good">{t('decoders.current')}</Status>
              ) : (
                <Status tone="quiet">{t('decoders.former')}</Status>
              ),
          },
          {
            key: 'hash',
            label: t('decoders.hash'),
            cell: (v) => (
              <Text span ff="monospace" fz="sm">
                {v.hash.slice(0, 16)}
              </Text>
            ),
          },
          {
            key: 'createdAt',
            label: t('fields.createdAt'),
            width: '150px',
            cell: (v) => <Time at={v.createdAt} />,
          },
        ]}
        empty={
          <Empty icon={IconVersions} title={t('decoders.versions')}>
            {t('list.noneFoundHelp')}
          </Empty>
        }
      />
      <Drawer
        opened={looked !== null}
        onClose={() => setLooked(null)}
        position="right"
        size={720}
        title={t('decoders.versionN', { n: looked?.n ?? 0 })}
      >
        {looked && (
          <VersionView decoderId={decoderId} kind={kind} n={looked.n} may={may && !looked.current} />
        )}
      </Drawer>
    </>
  )
}

function VersionView({
  decoderId,
  kind,
  n,
  may,
}: {
  decoderId: string
  kind: string
  n: number
  may: boolean
}) {
  const { t } = useTranslation()
  const client = useQueryClient()
  const found = useQuery(versionQuery(decoderId, n))
  const restore = useMutation({
    mutationFn: () => restoreVersion(decoderId, n),
    onSuccess: () => {
      told(t('decoders.restored', { n }))
      void client.invalidateQueries({ queryKey: ['decoders'] })
    },
  })
  if (!found.data) return <Skeleton height={300} />
  return (
    <Stack>
      <Code
        label={t('decoders.script')}
        language={languageOf(kind)}
        value={found.data.script ?? ''}
        height={520}
      />
      <FormFailure of={restore.error} />
      {may && (
        <Group justify="flex-end">
          <Button onClick={() => restore.mutate()} loading={restore.isPending}>
            {t('decoders.restore')}
          </Button>
        </Group>
      )}
    </Stack>
  )
}
