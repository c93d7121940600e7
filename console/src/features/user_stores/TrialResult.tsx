import { Alert, List, Stack, Text, ThemeIcon } from '@mantine/core'
import { IconAlertTriangle, IconCheck, IconCircleCheck, IconX } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'
import type { UserStoreTrial } from '@/api/types'

/** What trying a user store out showed, step by step. */
export function TrialResult({ trial }: { trial: UserStoreTrial }) {
  const { t } = useTranslation()
  return (
    <Stack gap="sm" role="status">
      <Alert
        color={trial.passed ? 'green' : 'red'}
        icon={trial.passed ? <IconCircleCheck size={18} /> : <IconAlertTriangle size={18} />}
        title={t(trial.passed ? 'userStores.trialPassed' : 'userStores.trialFailed')}
      >
        <List spacing={6} listStyleType="none" withPadding={false}>
          {trial.steps.map((step, at) => (
            <List.Item
              // biome-ignore lint/suspicious/noArrayIndexKey: a step comes once a server.
              key={at}
              icon={
                <ThemeIcon
                  size={20}
                  radius="xl"
                  color={step.passed ? 'green' : 'red'}
                  aria-label={t(step.passed ? 'userStores.trialPassed' : 'userStores.trialFailed')}
                >
                  {step.passed ? <IconCheck size={13} /> : <IconX size={13} />}
                </ThemeIcon>
              }
            >
              <Text fw={600} fz="sm">
                {t(`userStores.steps.${step.name}` as never)}
              </Text>
              <Text fz="sm" style={{ overflowWrap: 'anywhere' }}>
                {step.detail}
              </Text>
            </List.Item>
          ))}
        </List>
        {trial.groups.map((group) => (
          <Text key={group} fz="xs" ff="monospace" mt={4} style={{ overflowWrap: 'anywhere' }}>
            {group}
          </Text>
        ))}
      </Alert>
    </Stack>
  )
}
