import {
  ActionIcon,
  Anchor,
  Box,
  Breadcrumbs,
  Group,
  Popover,
  Stack,
  Text,
  Title,
  Tooltip,
} from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { IconApi } from '@tabler/icons-react'
import { Link, useLocation } from '@tanstack/react-router'
import { type ReactNode, useEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import { asCurl, type Call } from '@/api/curl'
import { CodeBlock } from './Copy'
import classes from './Page.module.css'
import { LookBack, PastBar } from './Past'

export interface Crumb {
  label: string
  to: string
  search?: Record<string, string>
}

interface Props {
  title: string
  /** What stands beside the title: a state, say. */
  beside?: ReactNode
  /** The numbers that matter most. */
  figures?: ReactNode
  /** One sentence on what this page is for. */
  lead?: ReactNode
  crumbs?: Crumb[]
  /** The primary action, and others before it. */
  action?: ReactNode
  /** The REST calls behind this page. */
  calls?: Call[]
  /** Whether the page can show what was. */
  past?: boolean
  children: ReactNode
}

/** The frame of a page: where one is, what it is, what one can do. */
export function Page({
  title,
  beside,
  figures,
  lead,
  crumbs = [],
  action,
  calls = [],
  past,
  children,
}: Props) {
  useDocumentTitle(`${title} · Moorage`)
  const { t } = useTranslation()
  const page = useRef<HTMLDivElement>(null)
  const { searchStr } = useLocation()
  // On a phone the tabs scroll sideways.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the address names the tab; tabs come with what is loaded.
  useEffect(() => {
    page.current
      ?.querySelector('[role="tab"][aria-selected="true"]')
      ?.scrollIntoView({ block: 'nearest', inline: 'center' })
  }, [searchStr, title])
  return (
    <Box className={classes.page} ref={page}>
      <Stack gap={4} mb="md">
        {crumbs.length > 0 && (
          <Breadcrumbs separator="/" fz="sm" component="nav" aria-label={t('frame.breadcrumbs')}>
            {crumbs.map((crumb) => (
              <Anchor key={crumb.to} component={Link} to={crumb.to} search={crumb.search as never} fz="sm">
                {crumb.label}
              </Anchor>
            ))}
          </Breadcrumbs>
        )}
        <Group justify="space-between" align="flex-start" gap="sm">
          <Group gap="sm" className={classes.heading}>
            <Title order={1} className={classes.title}>
              {title}
            </Title>
            {beside}
          </Group>
          <Group gap="xs" className={classes.actions}>
            {past && <LookBack />}
            {calls.length > 0 && <Calls calls={calls} />}
            {action}
          </Group>
        </Group>
        {figures}
        {lead && (
          <Text c="dimmed" maw={720}>
            {lead}
          </Text>
        )}
      </Stack>
      {past && <PastBar />}
      {children}
    </Box>
  )
}

function Calls({ calls }: { calls: Call[] }) {
  const { t } = useTranslation()
  return (
    <Popover width={520} position="bottom-end" shadow="md" trapFocus>
      <Popover.Target>
        <Tooltip label={t('frame.restCall')}>
          <ActionIcon size={34} variant="default" aria-label={t('frame.restCall')}>
            <IconApi size={18} />
          </ActionIcon>
        </Tooltip>
      </Popover.Target>
      <Popover.Dropdown maw="calc(100vw - 16px)">
        <Stack gap="xs">
          <Text fz="sm" c="dimmed">
            {t('frame.restCallHelp')}
          </Text>
          {calls.map((call) => (
            <CodeBlock
              key={(call.method ?? 'GET') + call.path}
              code={asCurl(call, window.location.origin)}
              label={t('frame.restCall')}
            />
          ))}
        </Stack>
      </Popover.Dropdown>
    </Popover>
  )
}
