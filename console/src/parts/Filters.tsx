import { ActionIcon, Button, Group, Menu, Popover, Stack, TagsInput, TextInput } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { IconBookmark, IconChevronDown, IconPlus, IconSearch, IconTrash, IconX } from '@tabler/icons-react'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { BETWEEN, type Narrowed, wordsOf } from './address'
import classes from './Filters.module.css'
import { useKept } from './preferences'

/** One question a list can be narrowed by. */
export interface Filter {
  key: string
  label: string
  /** What to choose from; none where words are typed. */
  options?: { value: string; label: string }[]
  /** What the words to type look like. */
  example?: string
  /** Offered under "More filters" until it is used. */
  extra?: boolean
}

interface Props {
  /** The list's name in the person's saved views. */
  name: string
  filters?: Filter[]
  value: Narrowed
  onChange: (next: Narrowed) => void
  /** The field of free search; none where the list has no search. */
  search?: string
  placeholder?: string
}

/** Search, filter chips and saved views above a list. */
export function Filters({ name, filters = [], value, onChange, search, placeholder }: Props) {
  const { t } = useTranslation()
  const [opened, setOpened] = useState<string[]>([])
  const active = Object.values(value).some(Boolean)
  const shown = (filter: Filter) => !filter.extra || !!value[filter.key] || opened.includes(filter.key)
  const hidden = filters.filter((filter) => !shown(filter))
  return (
    <Group gap={6}>
      {search && (
        <Search
          value={value[search] ?? ''}
          placeholder={placeholder ?? t('list.search')}
          onChange={(text) => onChange({ ...value, [search]: text || undefined })}
        />
      )}
      {filters.filter(shown).map((filter) => {
        const props = {
          filter,
          chosen: value[filter.key],
          choose: (chosen: string | undefined) => {
            if (!chosen) setOpened(opened.filter((key) => key !== filter.key))
            onChange({ ...value, [filter.key]: chosen })
          },
          opened: opened.includes(filter.key) && !value[filter.key],
        }
        return filter.options ? (
          <Chip key={filter.key} {...props} options={filter.options} />
        ) : (
          <WordsChip key={filter.key} {...props} />
        )
      })}
      {hidden.length > 0 && (
        <Menu position="bottom-start" shadow="md" returnFocus={false}>
          <Menu.Target>
            <button type="button" className={classes.chip}>
              <IconPlus size={13} />
              {t('list.moreFilters')}
            </button>
          </Menu.Target>
          <Menu.Dropdown>
            {hidden.map((filter) => (
              <Menu.Item key={filter.key} onClick={() => setOpened([...opened, filter.key])}>
                {filter.label}
              </Menu.Item>
            ))}
          </Menu.Dropdown>
        </Menu>
      )}
      {active && (
        <Button variant="subtle" color="gray" size="compact-sm" onClick={() => onChange({})}>
          {t('list.clear')}
        </Button>
      )}
      <Views name={name} value={value} onChange={onChange} />
    </Group>
  )
}

interface SearchProps {
  value: string
  placeholder: string
  onChange: (text: string) => void
}

/** A search field that asks when typing pauses. */
export function Search({ value, placeholder, onChange }: SearchProps) {
  const [text, setText] = useState(value)
  useEffect(() => setText(value), [value])
  const ask = useDebouncedCallback(onChange, 200)
  return (
    <TextInput
      type="search"
      className={classes.search}
      leftSection={<IconSearch size={15} />}
      placeholder={placeholder}
      aria-label={placeholder}
      value={text}
      onChange={(event) => {
        setText(event.currentTarget.value)
        ask(event.currentTarget.value)
      }}
    />
  )
}

interface ChipProps {
  filter: Filter
  chosen?: string
  choose: (value: string | undefined) => void
  /** Ask at once. */
  opened: boolean
}

function Chip({ filter, chosen, choose, opened, options }: ChipProps & Required<Pick<Filter, 'options'>>) {
  const { t } = useTranslation()
  const option = options.find((o) => o.value === chosen)
  return (
    <Group gap={0} wrap="nowrap">
      <Menu position="bottom-start" shadow="md" defaultOpened={opened}>
        <Menu.Target>
          <button type="button" className={classes.chip} data-active={chosen ? true : undefined}>
            {filter.label}
            {chosen && <b>{option?.label ?? chosen}</b>}
            {!chosen && <IconChevronDown size={13} />}
          </button>
        </Menu.Target>
        <Menu.Dropdown mah={340} style={{ overflowY: 'auto' }}>
          {options.map((o) => (
            <Menu.Item
              key={o.value}
              onClick={() => choose(o.value)}
              fw={o.value === chosen ? 600 : undefined}
            >
              {o.label}
            </Menu.Item>
          ))}
          {options.length === 0 && <Menu.Label>{t('list.nothingToChoose')}</Menu.Label>}
        </Menu.Dropdown>
      </Menu>
      <Drop filter={filter} chosen={chosen} choose={choose} />
    </Group>
  )
}

function WordsChip({ filter, chosen, choose, opened }: ChipProps) {
  const words = wordsOf(chosen)
  return (
    <Group gap={0} wrap="nowrap">
      <Popover position="bottom-start" shadow="md" width={280} trapFocus defaultOpened={opened}>
        <Popover.Target>
          <button type="button" className={classes.chip} data-active={chosen ? true : undefined}>
            {filter.label}
            {chosen ? <b>{words.join(', ')}</b> : <IconChevronDown size={13} />}
          </button>
        </Popover.Target>
        <Popover.Dropdown>
          <TagsInput
            data-autofocus
            label={filter.label}
            placeholder={filter.example}
            value={words}
            splitChars={[',', ';']}
            acceptValueOnBlur
            onChange={(next) => choose(next.join(BETWEEN) || undefined)}
          />
        </Popover.Dropdown>
      </Popover>
      <Drop filter={filter} chosen={chosen} choose={choose} />
    </Group>
  )
}

function Drop({ filter, chosen, choose }: Omit<ChipProps, 'opened'>) {
  const { t } = useTranslation()
  if (!chosen) return null
  return (
    <button
      type="button"
      className={classes.drop}
      aria-label={t('list.dropFilter', { name: filter.label })}
      onClick={() => choose(undefined)}
    >
      <IconX size={13} />
    </button>
  )
}

interface ViewsProps {
  name: string
  value: Narrowed
  onChange: (next: Narrowed) => void
}

function Views({ name, value, onChange }: ViewsProps) {
  const { t } = useTranslation()
  const [views, setViews] = useKept<{ name: string; value: Narrowed }>(`views.${name}`, [])
  const [title, setTitle] = useState('')
  const active = Object.values(value).some(Boolean)
  if (!active && views.length === 0) return null
  return (
    <Popover position="bottom-start" shadow="md" width={280} trapFocus>
      <Popover.Target>
        <button type="button" className={classes.chip}>
          <IconBookmark size={14} />
          {t('list.views')}
        </button>
      </Popover.Target>
      <Popover.Dropdown>
        <Stack gap={4}>
          {views.map((view) => (
            <Group key={view.name} gap={4} wrap="nowrap">
              <Button
                variant="subtle"
                color="gray"
                justify="flex-start"
                flex={1}
                onClick={() => onChange(view.value)}
              >
                {view.name}
              </Button>
              <ActionIcon
                aria-label={t('list.removeView', { name: view.name })}
                onClick={() => setViews(views.filter((v) => v.name !== view.name))}
              >
                <IconTrash size={15} />
              </ActionIcon>
            </Group>
          ))}
          {active && (
            <form
              onSubmit={(event) => {
                event.preventDefault()
                if (!title.trim()) return
                setViews([...views.filter((v) => v.name !== title.trim()), { name: title.trim(), value }])
                setTitle('')
              }}
            >
              <Group gap={6} wrap="nowrap" mt={4} align="flex-end">
                <TextInput
                  flex={1}
                  label={t('list.saveView')}
                  placeholder={t('list.viewName')}
                  value={title}
                  onChange={(event) => setTitle(event.currentTarget.value)}
                />
                <Button type="submit" variant="light">
                  {t('common.save')}
                </Button>
              </Group>
            </form>
          )}
        </Stack>
      </Popover.Dropdown>
    </Popover>
  )
}
