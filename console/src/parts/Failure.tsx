import { Alert, Button, Center, Stack, Text, ThemeIcon, Title } from '@mantine/core'
import { IconAlertTriangle, IconCloudOff, IconLock, IconMapPinOff } from '@tabler/icons-react'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'
import { Problem } from '@/api/problem'
import { failureText } from '@/i18n'

/** Give the words for a failure, by its code; the server's own sentence where no catalogue has one. */
export function useFailureText() {
  useTranslation() // Asked again when the language changes.
  return failureText
}

/** Fill a page or panel with what failed and a way on. */
export function Failure({ of, retry }: { of: unknown; retry?: () => void }) {
  const { t } = useTranslation()
  const text = useFailureText()
  const status = of instanceof Problem ? of.status : -1
  const [Icon, title] =
    status === 403
      ? ([IconLock, t('failure.noRight')] as const)
      : status === 404
        ? ([IconMapPinOff, t('failure.notFound')] as const)
        : status === 0
          ? ([IconCloudOff, t('failure.unreachable')] as const)
          : ([IconAlertTriangle, t('failure.title')] as const)
  return (
    <Center py={64} px="md">
      <Stack align="center" gap="sm" maw={460} ta="center" role="alert">
        <ThemeIcon size={48} radius="xl" variant="light" color={status === 403 ? 'gray' : 'red'}>
          <Icon size={24} />
        </ThemeIcon>
        <Title order={2}>{title}</Title>
        <Text c="dimmed">{text(of)}</Text>
        {status === 404 || status === 403 ? (
          <Button component={Link} to="/" variant="default">
            {t('failure.home')}
          </Button>
        ) : (
          retry && (
            <Button variant="default" onClick={retry}>
              {t('failure.retry')}
            </Button>
          )
        )}
      </Stack>
    </Center>
  )
}

/** Say above a form's buttons why the server refused it. */
export function FormFailure({ of }: { of: unknown }) {
  const text = useFailureText()
  const { t } = useTranslation()
  if (!of) return null
  return (
    <Alert color="red" icon={<IconAlertTriangle size={18} />} title={t('failure.refused')} role="alert">
      {text(of)}
    </Alert>
  )
}
