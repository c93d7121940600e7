import { Anchor, SimpleGrid, Skeleton, Text } from '@mantine/core'
import { IconSearch } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { useAddress } from '@/parts/address'
import { Empty } from '@/parts/Empty'
import { Failure } from '@/parts/Failure'
import { Search } from '@/parts/Filters'
import { Page } from '@/parts/Page'
import { Panel } from '@/parts/Panel'
import { Prose } from './Prose'
import { apisQuery } from './queries'

/** The API store: what programs can do, by area. */
export function Apis() {
  const { t } = useTranslation()
  const [address, setAddress] = useAddress()
  const found = useQuery(apisQuery(address.q))
  const apis = found.data?.items
  return (
    <Page
      title={t('places.apis')}
      lead={t('apis.lead')}
      calls={[{ path: '/api/v1/apis', query: { q: address.q } }]}
    >
      <Search
        value={address.q ?? ''}
        placeholder={t('apis.search')}
        onChange={(q) => setAddress({ q: q || undefined })}
      />
      {found.isError && <Failure of={found.error} retry={() => void found.refetch()} />}
      <SimpleGrid cols={{ base: 1, sm: 2, lg: 3 }} mt="md">
        {!apis &&
          !found.isError &&
          ['a', 'b', 'c', 'd', 'e', 'f'].map((key) => <Skeleton key={key} h={120} />)}
        {apis?.map((api) => (
          <Panel
            key={api.id}
            title={api.title}
            action={
              <Text fz="sm" c="dimmed">
                {t('apis.calls', { count: api.operationCount })}
              </Text>
            }
          >
            <Prose>{api.description.split('\n\n')[0] ?? ''}</Prose>
            <Anchor component={Link} to={`/apis/${api.id}`}>
              {t('apis.open', { title: api.title })}
            </Anchor>
          </Panel>
        ))}
      </SimpleGrid>
      {apis?.length === 0 && (
        <Empty icon={IconSearch} title={t('apis.emptyTitle')}>
          {t('apis.empty')}
        </Empty>
      )}
    </Page>
  )
}
