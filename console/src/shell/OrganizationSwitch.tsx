import { Menu, TextInput, UnstyledButton } from '@mantine/core'
import { IconBuilding, IconCheck, IconSearch, IconSelector } from '@tabler/icons-react'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useSession } from '@/features/auth/session'
import { organizationsQuery } from '@/features/organizations/queries'
import classes from './Frame.module.css'

/** Choose whose things are looked at. */
export function OrganizationSwitch() {
  const { t } = useTranslation()
  const { organizationId, choose } = useSession()
  const [text, setText] = useState('')
  const known = useQuery(organizationsQuery).data?.items ?? []
  const name = known.find((o) => o.id === organizationId)?.name
  const found = known.filter((o) => o.name.toLowerCase().includes(text.toLowerCase()))
  return (
    <Menu position="bottom-start" shadow="md" width={260} onClose={() => setText('')}>
      <Menu.Target>
        <UnstyledButton
          className={classes.switch}
          aria-label={t('frame.organization', { name: name ?? t('frame.allOrganizations') })}
        >
          <IconBuilding size={16} aria-hidden="true" />
          <span>{name ?? t('frame.allOrganizations')}</span>
          <IconSelector size={15} aria-hidden="true" />
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        {known.length > 7 && (
          <TextInput
            leftSection={<IconSearch size={14} />}
            placeholder={t('list.search')}
            aria-label={t('list.search')}
            value={text}
            onChange={(event) => setText(event.currentTarget.value)}
            mb={4}
          />
        )}
        <div className={classes.organizations}>
          {known.length !== 1 && !text && (
            <Menu.Item
              onClick={() => choose(undefined)}
              rightSection={!organizationId && <IconCheck size={15} />}
            >
              {t('frame.allOrganizations')}
            </Menu.Item>
          )}
          {found.map((organization) => (
            <Menu.Item
              key={organization.id}
              onClick={() => choose(organization.id)}
              rightSection={organization.id === organizationId && <IconCheck size={15} />}
            >
              {organization.name}
            </Menu.Item>
          ))}
        </div>
      </Menu.Dropdown>
    </Menu>
  )
}
