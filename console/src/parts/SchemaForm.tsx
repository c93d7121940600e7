import {
  Anchor,
  Collapse,
  NumberInput,
  Select,
  Stack,
  Switch,
  Text,
  Textarea,
  TextInput,
  Title,
} from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { useTranslation } from 'react-i18next'
import { fromPairs, KeyValues, toPairs } from './KeyValues'

/** The part of JSON Schema that settings use. */
export interface Schema {
  type?: string
  title?: string
  description?: string
  enum?: (string | number)[]
  default?: unknown
  minimum?: number
  maximum?: number
  maxLength?: number
  format?: string
  required?: string[]
  properties?: Record<string, Schema>
  additionalProperties?: boolean | Schema
}

export type Settings = Record<string, unknown>

interface Props {
  schema: Schema
  value: Settings
  onChange: (value: Settings) => void
  /** Errors by path, such as `settings.url`. */
  errors: Record<string, unknown>
  path: string
}

const isPlain = (schema: Schema) =>
  schema.type !== 'object' && (schema.maxLength ?? 0) <= 4_000 && !schema.format

/** A form made from a schema: what is needed first, the rest on demand. */
export function SchemaForm({ schema, value, onChange, errors, path }: Props) {
  const { t } = useTranslation()
  const [all, { toggle }] = useDisclosure()
  const fields = Object.entries(schema.properties ?? {})
  const required = new Set(schema.required ?? [])
  const first = fields.filter(
    ([name, field]) => required.has(name) || (isPlain(field) && fields.length < 6) || FIRST.has(name),
  )
  const rest = fields.filter((field) => !first.includes(field))
  const show = ([name, field]: [string, Schema]) => (
    <Field
      key={name}
      name={name}
      schema={field}
      required={required.has(name)}
      value={value[name]}
      onChange={(next) => {
        const { [name]: _, ...others } = value
        onChange(next === undefined || next === '' ? others : { ...others, [name]: next })
      }}
      errors={errors}
      path={`${path}.${name}`}
    />
  )
  return (
    <Stack gap="sm">
      {first.map(show)}
      {rest.length > 0 && (
        <>
          <Anchor component="button" type="button" onClick={toggle} aria-expanded={all} fz="sm" ta="left">
            {all ? t('forms.less') : t('forms.more')}
          </Anchor>
          <Collapse expanded={all}>
            <Stack gap="sm">{rest.map(show)}</Stack>
          </Collapse>
        </>
      )}
    </Stack>
  )
}

const FIRST = new Set(['authentication', 'user', 'method', 'port', 'encrypted', 'qos'])

interface FieldProps {
  name: string
  schema: Schema
  required: boolean
  value: unknown
  onChange: (value: unknown) => void
  errors: Record<string, unknown>
  path: string
}

function Field({ name, schema, required, value, onChange, errors, path }: FieldProps) {
  const { t, i18n } = useTranslation()
  const known = `settingNames.${name}`
  const label = i18n.exists(known) ? t(known as never) : (schema.title ?? name)
  const help = `settingHelp.${name}`
  const description = i18n.exists(help) ? t(help as never) : schema.description
  const error = errors[path] as string | undefined
  const shared = { label, description, withAsterisk: required, error }
  const fallback = schema.default === undefined ? undefined : String(schema.default)
  if (schema.enum) {
    const options = schema.enum
    return (
      <Select
        {...shared}
        allowDeselect={false}
        data={options.map((one) => {
          const word = `settingValues.${name}.${String(one).replaceAll('.', '_')}`
          return { value: String(one), label: i18n.exists(word) ? t(word as never) : String(one) }
        })}
        value={String(value ?? schema.default ?? '')}
        onChange={(next) => onChange(options.find((one) => String(one) === next))}
      />
    )
  }
  if (schema.type === 'boolean') {
    return (
      <Switch
        label={label}
        description={description}
        error={error}
        checked={Boolean(value ?? schema.default)}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
    )
  }
  if (schema.type === 'number' || schema.type === 'integer') {
    return (
      <NumberInput
        {...shared}
        min={schema.minimum}
        max={schema.maximum}
        allowDecimal={schema.type === 'number'}
        placeholder={fallback}
        value={typeof value === 'number' ? value : ''}
        onChange={(next) => onChange(typeof next === 'number' ? next : undefined)}
      />
    )
  }
  if (schema.type === 'object' && schema.properties) {
    return (
      <div>
        <Title order={3} mb={6}>
          {label}
        </Title>
        <SchemaForm
          schema={schema}
          value={(value as Settings | undefined) ?? {}}
          onChange={(next) => onChange(Object.keys(next).length ? next : undefined)}
          errors={errors}
          path={path}
        />
      </div>
    )
  }
  if (schema.type === 'object') {
    return (
      <div>
        <KeyValues
          label={label}
          value={toPairs((value as Record<string, string> | undefined) ?? {})}
          onChange={(pairs) =>
            onChange(pairs.length ? fromPairs(pairs.map((p) => ({ ...p, key: p.key || ' ' }))) : undefined)
          }
        />
        {error && (
          <Text c="red" fz="sm">
            {error}
          </Text>
        )}
      </div>
    )
  }
  const props = {
    ...shared,
    placeholder: fallback,
    value: typeof value === 'string' ? value : '',
    onChange: (event: { currentTarget: { value: string } }) => onChange(event.currentTarget.value),
  }
  return isPlain(schema) ? (
    <TextInput {...props} />
  ) : (
    <Textarea {...props} autosize minRows={3} maxRows={12} ff="monospace" spellCheck={false} />
  )
}
