import { Group, NumberInput, SimpleGrid, Stack, Switch, Text, TextInput } from '@mantine/core'
import { type UseFormReturnType, useForm } from '@mantine/form'
import { useTranslation } from 'react-i18next'
import type { OperationBody } from '@/api/types'
import { Code } from '@/parts/Code'
import { DurationInput } from '@/parts/DurationInput'

/** Read JSON typed by a person; undefined where there is none, null in `value` where it says so. */
export function readJson(text: string): { ok: true; value: unknown } | { ok: false; problem: string } {
  if (!text.trim()) return { ok: true, value: undefined }
  try {
    return { ok: true, value: JSON.parse(text) }
  } catch (failure) {
    return { ok: false, problem: (failure as Error).message }
  }
}

export interface Asked {
  code: string
  payload: string
  expiresIn: string | null
  port: number | ''
  asJson: boolean
}

/** Write what was typed as a request. */
export function asBody({ code, payload, expiresIn, port, asJson }: Asked): OperationBody {
  const read = readJson(payload)
  return {
    code,
    ...(read.ok && read.value !== undefined && { payload: read.value }),
    ...(expiresIn && { expiresIn }),
    ...(port !== '' && { port }),
    ...(asJson && { encode: false }),
  }
}

/** Hold what a person types to ask devices for something. */
export function useAsked(): UseFormReturnType<Asked> {
  const { t } = useTranslation()
  return useForm<Asked>({
    initialValues: {
      code: '',
      payload: '',
      expiresIn: null,
      port: '',
      asJson: false,
    },
    validate: {
      code: (value) => (/^[A-Za-z0-9][A-Za-z0-9._:-]*$/.test(value) ? null : t('operations.codeWrong')),
      payload: (value) => {
        const read = readJson(value)
        return read.ok ? null : t('forms.notJson', { problem: read.problem })
      },
    },
  })
}

/** The fields of an operation. */
export function AskFields({ form }: { form: UseFormReturnType<Asked> }) {
  const { t } = useTranslation()
  return (
    <SimpleGrid cols={{ base: 1, md: 2 }}>
      <Stack>
        <TextInput
          label={t('operations.command')}
          description={t('operations.commandHelp')}
          placeholder="reboot"
          {...form.getInputProps('code')}
        />
        <DurationInput
          label={t('operations.expiresIn')}
          placeholder={t('operations.aDay')}
          {...form.getInputProps('expiresIn')}
        />
        <Group align="flex-start" grow>
          <NumberInput
            label={t('operations.port')}
            description={t('operations.portHelp')}
            min={0}
            max={255}
            allowDecimal={false}
            {...form.getInputProps('port')}
          />
          <Switch
            mt={26}
            label={t('operations.asJson')}
            description={t('operations.asJsonHelp')}
            {...form.getInputProps('asJson', { type: 'checkbox' })}
          />
        </Group>
      </Stack>
      <div>
        <Text fw={500} fz="sm" mb={4}>
          {t('operations.payload')}
        </Text>
        <Code
          label={t('operations.payload')}
          language="json"
          height={190}
          value={form.values.payload}
          onChange={(text) => form.setFieldValue('payload', text)}
        />
        {form.errors.payload && (
          <Text c="red" fz="sm" role="alert">
            {form.errors.payload}
          </Text>
        )}
      </div>
    </SimpleGrid>
  )
}
