import { Alert, List, Stack, Text, ThemeIcon } from '@mantine/core'
import { IconAlertTriangle, IconCheck, IconCircleCheck, IconX } from '@tabler/icons-react'
import { useTranslation } from 'react-i18next'

interface Props {
  passed: boolean
  steps: { name: string; passed: boolean; detail: string }[]
  groups?: string[]
}

/** What trying a directory or an identity provider out showed, step by step. */
export function TrialResult({ passed, steps, groups = [] }: Props) {
  const { t } = useTranslation()
  return (
    <Stack gap="sm" role="status">
      <Alert
        color={passed ? 'green' : 'red'}
        icon={passed ? <IconCircleCheck size={18} /> : <IconAlertTriangle size={18} />}
        // Its own green is too pale to be read on its own ground.
        styles={{ title: { color: 'var(--mantine-color-text)' } }}
        title={t(passed ? 'userStores.trialPassed' : 'userStores.trialFailed')}
      >
        <List spacing={6} listStyleType="none" withPadding={false}>
          {steps.map((step, at) => (
            <List.Item
              // biome-ignore lint/suspicious/noArrayIndexKey: a step comes once a server.
              key={at}
              icon={
                <ThemeIcon
                  size={20}
                  radius="xl"
                  color={step.passed ? 'green' : 'red'}
                  role="img"
                  aria-label={t(step.passed ? 'userStores.trialPassed' : 'userStores.trialFailed')}
                >
                  {step.passed ? <IconCheck size={13} /> : <IconX size={13} />}
                </ThemeIcon>
              }
            >
              <Text fw={600} fz="sm">
                {step.name}
              </Text>
              <Text fz="sm" style={{ overflowWrap: 'anywhere' }}>
                {step.detail}
              </Text>
            </List.Item>
          ))}
        </List>
        {groups.map((group) => (
          <Text key={group} fz="xs" ff="monospace" mt={4} style={{ overflowWrap: 'anywhere' }}>
            {group}
          </Text>
        ))}
      </Alert>
    </Stack>
  )
}
