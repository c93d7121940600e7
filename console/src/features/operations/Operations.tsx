import { useTranslation } from 'react-i18next'
import { usePages } from '@/api/pages'
import { useSession } from '@/features/auth/session'
import { useAddress } from '@/parts/address'
import { Filters } from '@/parts/Filters'
import { Page } from '@/parts/Page'
import { OperationList } from './OperationList'
import { listOperations } from './queries'
import { OPERATION_STATES } from './words'

/** What devices were asked to do. */
export function Operations() {
  const { t } = useTranslation()
  const { organizationId } = useSession()
  const [address, setAddress] = useAddress()
  const filter = { state: address.state, organizationId }
  const list = usePages(['operations', 'list', filter], (after) => listOperations(filter, after), {
    refetchInterval: 5_000,
  })
  return (
    <Page
      title={t('places.operations')}
      lead={t('operations.lead')}
      calls={[{ path: '/api/v1/operations', query: filter }]}
    >
      <OperationList
        name="operations"
        list={list}
        withDevice
        tools={
          <Filters
            name="operations"
            value={{ state: address.state }}
            onChange={setAddress}
            filters={[
              {
                key: 'state',
                label: t('fields.state'),
                options: OPERATION_STATES.map((s) => ({ value: s, label: t(`operationState.${s}`) })),
              },
            ]}
          />
        }
      />
    </Page>
  )
}
