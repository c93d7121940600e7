import { ActionIcon, Button, Checkbox, Menu, Skeleton, Text, Tooltip } from '@mantine/core'
import { useMediaQuery } from '@mantine/hooks'
import { IconArrowDown, IconArrowsSort, IconArrowUp, IconChecklist, IconColumns3 } from '@tabler/icons-react'
import { useWindowVirtualizer } from '@tanstack/react-virtual'
import { type KeyboardEvent, type ReactNode, useEffect, useLayoutEffect, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'
import type { Growing } from '@/api/pages'
import classes from './DataList.module.css'
import { Failure } from './Failure'
import { useKept } from './preferences'

/** One column; the first column is the row's name. */
export interface Column<T> {
  key: string
  label: string
  cell: (row: T) => ReactNode
  /** The field the server sorts by. */
  sort?: string
  width?: string
  /** Shown only where chosen. */
  extra?: boolean
  numeric?: boolean
}

interface Props<T> {
  /** The list's name in the person's choice of columns. */
  name: string
  label: string
  list: Growing<T>
  columns: Column<T>[]
  rowKey: (row: T) => string
  onOpen?: (row: T) => void
  sort?: string
  onSort?: (sort: string) => void
  /** The actions on the selected rows; `everything` is all there is, shown or not. */
  bulk?: (selected: T[], clear: () => void, everything: boolean) => ReactNode
  /** Whether the actions can be on all there is. */
  bulkEverything?: boolean
  tools?: ReactNode
  empty: ReactNode
}

const ROW = 45

/** The list of lists: columns to choose, sorting, selection, endless scroll, cards on a phone. */
export function DataList<T>(props: Props<T>) {
  const { name, label, list, columns, rowKey, onOpen, sort, onSort, bulk, bulkEverything, tools, empty } =
    props
  const { t } = useTranslation()
  const narrow = useMediaQuery('(max-width: 48em)', false, { getInitialValueInEffect: false })
  const [chosen, setChosen] = useKept(
    `columns.${name}`,
    columns.filter((c) => !c.extra).map((c) => c.key),
  )
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set())
  const [everything, setEverything] = useState(false)
  // On a phone a tap opens; checkboxes come when they are asked for.
  const [selecting, setSelecting] = useState(false)
  const shown = columns.filter((c, i) => i === 0 || chosen.includes(c.key))
  const picked = list.items.filter((row) => selected.has(rowKey(row)))
  const total = list.total ?? list.items.length
  const body = useRef<HTMLDivElement>(null)
  const searching = list.isPending || (list.items.length === 0 && (list.isGrowing || list.more !== null))
  const [offset, setOffset] = useState(0)
  // biome-ignore lint/correctness/useExhaustiveDependencies: the list moves when its skeleton goes.
  useLayoutEffect(() => setOffset(body.current?.offsetTop ?? 0), [searching])
  // A page may be empty and still have a next one.
  const rows = useWindowVirtualizer({
    count: list.items.length,
    estimateSize: () => (narrow ? 116 : ROW),
    overscan: 12,
    scrollMargin: offset,
    getItemKey: (index) => rowKey(list.items[index] as T),
  })
  const visible = rows.getVirtualItems()
  const last = visible.at(-1)?.index ?? 0
  useEffect(() => {
    if (last >= list.items.length - 10) list.more?.()
  }, [last, list.items.length, list.more])

  const toggle = (key: string) => {
    const next = new Set(selected)
    if (!next.delete(key)) next.add(key)
    setSelected(next)
    setEverything(false)
  }
  const clear = () => {
    setSelected(new Set())
    setEverything(false)
    setSelecting(false)
  }
  const all = (
    <Checkbox
      size="xs"
      aria-label={t('list.selectAll')}
      label={narrow && t('list.selectAll')}
      disabled={list.items.length === 0}
      checked={picked.length > 0 && picked.length === list.items.length}
      indeterminate={picked.length > 0 && picked.length < list.items.length}
      onChange={() => {
        setSelected(picked.length ? new Set() : new Set(list.items.map(rowKey)))
        setEverything(false)
      }}
    />
  )
  const bar = (
    <div className={classes.tools}>
      <div className={classes.filters}>{tools}</div>
      {narrow && bulk && (
        <Tooltip label={t('list.selectSome')}>
          <ActionIcon
            variant={selecting ? 'filled' : 'default'}
            color={selecting ? 'harbour' : undefined}
            size={34}
            aria-label={t('list.selectSome')}
            aria-pressed={selecting}
            onClick={() => (selecting ? clear() : setSelecting(true))}
          >
            <IconChecklist size={17} />
          </ActionIcon>
        </Tooltip>
      )}
      {narrow && onSort && <SortMenu columns={columns} sort={sort} onSort={onSort} />}
      {columns.length > 3 && <ColumnMenu columns={columns} chosen={chosen} setChosen={setChosen} />}
    </div>
  )
  if (list.error) return <Failure of={list.error} retry={list.again} />
  if (!searching && list.items.length === 0) {
    return (
      <>
        {tools && bar}
        <div className={classes.frame}>{empty}</div>
      </>
    )
  }
  const above = (visible[0]?.start ?? offset) - offset
  const below = rows.getTotalSize() - ((visible.at(-1)?.end ?? offset) - offset)
  return (
    <>
      {bar}
      <div ref={body} className={classes.frame}>
        {narrow ? (
          <ul className={classes.cards} aria-label={label} aria-busy={searching}>
            {searching && <Bones count={6} />}
            {selecting && <li className={classes.all}>{all}</li>}
            <li style={{ height: above }} aria-hidden="true" />
            {visible.map((item) => {
              const row = list.items[item.index] as T
              return (
                <li key={item.key} ref={rows.measureElement} data-index={item.index}>
                  <Card
                    row={row}
                    columns={shown}
                    onOpen={onOpen}
                    selected={selecting ? selected.has(item.key as string) : undefined}
                    onToggle={() => toggle(item.key as string)}
                  />
                </li>
              )
            })}
            <li style={{ height: Math.max(0, below) }} aria-hidden="true" />
          </ul>
        ) : (
          <table className={classes.table} aria-label={label} aria-busy={searching}>
            <thead>
              <tr>
                {bulk && (
                  <th scope="col" className={classes.pick}>
                    {all}
                  </th>
                )}
                {shown.map((column) => (
                  <Head key={column.key} column={column} sort={sort} onSort={onSort} />
                ))}
              </tr>
            </thead>
            <tbody>
              {searching && <BoneRows columns={shown.length + (bulk ? 1 : 0)} />}
              {above > 0 && <tr style={{ height: above }} aria-hidden="true" />}
              {visible.map((item) => {
                const row = list.items[item.index] as T
                const key = rowKey(row)
                return (
                  <tr
                    key={item.key}
                    data-index={item.index}
                    className={onOpen && classes.opens}
                    data-selected={selected.has(key) || undefined}
                    tabIndex={onOpen ? 0 : undefined}
                    onClick={onOpen && ((event) => opens(event.target) && onOpen(row))}
                    onKeyDown={(event) =>
                      walk(
                        event,
                        () => onOpen?.(row),
                        () => bulk && toggle(key),
                      )
                    }
                  >
                    {bulk && (
                      <td className={classes.pick}>
                        <Checkbox
                          size="xs"
                          tabIndex={-1}
                          aria-label={t('list.select')}
                          checked={selected.has(key)}
                          onChange={() => toggle(key)}
                        />
                      </td>
                    )}
                    {shown.map((column) => (
                      <td key={column.key} data-numeric={column.numeric || undefined}>
                        {column.cell(row)}
                      </td>
                    ))}
                  </tr>
                )
              })}
              {below > 0 && <tr style={{ height: below }} aria-hidden="true" />}
            </tbody>
          </table>
        )}
      </div>
      <Text fz="sm" c="dimmed" mt="xs" role="status">
        {list.isGrowing
          ? t('list.loadingMore')
          : list.total !== null
            ? t('list.shownOf', { count: list.items.length, total: list.total })
            : t('list.shown', { count: list.items.length })}
      </Text>
      {bulk && picked.length > 0 && (
        <div className={classes.bulk} role="toolbar" aria-label={t('list.bulk')}>
          <Text fw={600}>{t('list.selected', { count: everything ? total : picked.length })}</Text>
          {bulkEverything && !everything && picked.length === list.items.length && total > picked.length && (
            <Button size="compact-sm" variant="subtle" onClick={() => setEverything(true)}>
              {t('list.selectEverything', { count: total })}
            </Button>
          )}
          {bulk(picked, clear, everything)}
        </div>
      )}
    </>
  )
}

function opens(target: EventTarget): boolean {
  return !(target as HTMLElement).closest('a, button, input, label, [role="menuitem"]')
}

function walk(event: KeyboardEvent<HTMLTableRowElement>, open: () => void, pick: () => void) {
  if (event.target !== event.currentTarget) return
  const row = event.currentTarget
  if (event.key === 'Enter') open()
  else if (event.key === ' ') pick()
  else if (event.key === 'ArrowDown') (row.nextElementSibling as HTMLElement | null)?.focus()
  else if (event.key === 'ArrowUp') (row.previousElementSibling as HTMLElement | null)?.focus()
  else return
  event.preventDefault()
}

/** What a click on a sortable column asks for: the other way round where it is sorted by already. */
function nextSort(field: string, sort: string | undefined): string {
  return sort === field ? `-${field}` : field
}

interface SortMenuProps<T> {
  columns: Column<T>[]
  sort?: string
  onSort: (sort: string) => void
}

/** The heads of the columns, where there is no room for them. */
function SortMenu<T>({ columns, sort, onSort }: SortMenuProps<T>) {
  const { t } = useTranslation()
  return (
    <Menu position="bottom-end" shadow="md">
      <Menu.Target>
        <Tooltip label={t('list.sort')}>
          <ActionIcon variant="default" size={34} aria-label={t('list.sort')}>
            <IconArrowsSort size={17} />
          </ActionIcon>
        </Tooltip>
      </Menu.Target>
      <Menu.Dropdown>
        {columns.map(({ key, label, sort: field }) => {
          if (!field) return null
          const on = sort?.replace(/^-/, '') === field
          return (
            <Menu.RadioItem
              key={key}
              value={field}
              checked={on}
              checkIcon={<Arrow down={sort === `-${field}`} />}
              closeMenuOnClick
              onChange={() => onSort(nextSort(field, sort))}
            >
              {label}
            </Menu.RadioItem>
          )
        })}
      </Menu.Dropdown>
    </Menu>
  )
}

function Arrow({ down }: { down: boolean }) {
  const { t } = useTranslation()
  const Icon = down ? IconArrowDown : IconArrowUp
  return <Icon size={13} aria-label={t(down ? 'list.descending' : 'list.ascending')} role="img" />
}

interface HeadProps<T> {
  column: Column<T>
  sort?: string
  onSort?: (sort: string) => void
}

function Head<T>({ column, sort, onSort }: HeadProps<T>) {
  const active = column.sort && sort?.replace(/^-/, '') === column.sort
  const down = active && sort?.startsWith('-')
  return (
    <th
      scope="col"
      style={{ width: column.width }}
      data-numeric={column.numeric || undefined}
      aria-sort={active ? (down ? 'descending' : 'ascending') : undefined}
    >
      {column.sort && onSort ? (
        <button
          type="button"
          className={classes.sorter}
          onClick={() => onSort(nextSort(column.sort ?? '', sort))}
        >
          {column.label}
          {active && (down ? <IconArrowDown size={13} /> : <IconArrowUp size={13} />)}
        </button>
      ) : (
        column.label
      )}
    </th>
  )
}

interface ColumnMenuProps<T> {
  columns: Column<T>[]
  chosen: string[]
  setChosen: (keys: string[]) => void
}

function ColumnMenu<T>({ columns, chosen, setChosen }: ColumnMenuProps<T>) {
  const { t } = useTranslation()
  return (
    <Menu closeOnItemClick={false} position="bottom-end" shadow="md">
      <Menu.Target>
        <Tooltip label={t('list.columns')}>
          <ActionIcon variant="default" size={34} aria-label={t('list.columns')}>
            <IconColumns3 size={17} />
          </ActionIcon>
        </Tooltip>
      </Menu.Target>
      <Menu.Dropdown>
        {columns.slice(1).map((column) => {
          const on = chosen.includes(column.key)
          return (
            <Menu.CheckboxItem
              key={column.key}
              checked={on}
              onChange={() =>
                setChosen(on ? chosen.filter((k) => k !== column.key) : [...chosen, column.key])
              }
            >
              {column.label}
            </Menu.CheckboxItem>
          )
        })}
      </Menu.Dropdown>
    </Menu>
  )
}

interface CardProps<T> {
  row: T
  columns: Column<T>[]
  onOpen?: (row: T) => void
  /** Whether it is selected; undefined where nothing is being selected. */
  selected?: boolean
  onToggle: () => void
}

function Card<T>({ row, columns, onOpen, selected, onToggle }: CardProps<T>) {
  const [first, ...rest] = columns
  const tapped = selected === undefined ? onOpen && (() => onOpen(row)) : onToggle
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the button inside does the same by keyboard.
    // biome-ignore lint/a11y/noStaticElementInteractions: a larger target around that button.
    <div
      className={classes.card}
      data-selected={selected || undefined}
      onClick={tapped && ((event) => opens(event.target) && tapped())}
    >
      {selected !== undefined ? (
        <div className={classes.cardTitle}>
          <Checkbox size="sm" label={first?.cell(row)} checked={selected} onChange={onToggle} />
        </div>
      ) : onOpen ? (
        <button type="button" className={classes.cardTitle} onClick={() => onOpen(row)}>
          {first?.cell(row)}
        </button>
      ) : (
        <div className={classes.cardTitle}>{first?.cell(row)}</div>
      )}
      <dl>
        {rest.map((column) => (
          <div key={column.key}>
            <dt>{column.label}</dt>
            <dd>{column.cell(row)}</dd>
          </div>
        ))}
      </dl>
    </div>
  )
}

function Bones({ count }: { count: number }) {
  return Array.from({ length: count }, (_, i) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: placeholders have no identity.
    <li key={i} className={classes.card}>
      <Skeleton height={16} width="55%" mb={10} />
      <Skeleton height={12} width="80%" />
    </li>
  ))
}

function BoneRows({ columns }: { columns: number }) {
  return Array.from({ length: 8 }, (_, i) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: placeholders have no identity.
    <tr key={i}>
      {Array.from({ length: columns }, (_, j) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: placeholders have no identity.
        <td key={j}>
          <Skeleton height={12} width={j === 0 ? '70%' : '50%'} my={5} />
        </td>
      ))}
    </tr>
  ))
}
