import { Button, Menu } from '@mantine/core'
import { IconDots, IconDownload, IconPlugConnected, IconUpload } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { queryString } from '@/api/curl'
import { useSession } from '@/features/auth/session'
import { useAddress } from '@/parts/address'
import { Page } from '@/parts/Page'
import { DeviceList } from './DeviceList'
import { asked } from './queries'

/** Every device in reach. */
export function Devices() {
  const { t } = useTranslation()
  const { can, organizationId } = useSession()
  const [address] = useAddress()
  const query = asked({ ...address, organizationId })
  return (
    <Page
      title={t('places.devices')}
      past
      calls={[{ path: '/api/v1/devices', query }]}
      action={
        <>
          <Menu position="bottom-end" shadow="md">
            <Menu.Target>
              <Button variant="default" px={9} aria-label={t('common.more')}>
                <IconDots size={17} />
              </Button>
            </Menu.Target>
            <Menu.Dropdown>
              {can('devices:manage') && !address.at && (
                <Menu.Item component={Link} to="/import" leftSection={<IconUpload size={16} />}>
                  {t('import.title')}
                </Menu.Item>
              )}
              <Menu.Item
                component="a"
                href={`/api/v1/devices/export${queryString(query)}`}
                download="devices.csv"
                leftSection={<IconDownload size={16} />}
              >
                {t('devices.export')}
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
          {can('devices:manage') && !address.at && (
            <Button component={Link} to="/connect" leftSection={<IconPlugConnected size={16} />}>
              {t('places.connect')}
            </Button>
          )}
        </>
      }
    >
      <DeviceList />
    </Page>
  )
}
