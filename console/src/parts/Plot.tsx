import { useComputedColorScheme } from '@mantine/core'
import { useElementSize } from '@mantine/hooks'
import { useEffect, useRef } from 'react'
import { useTranslation } from 'react-i18next'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { useFormat } from './format'
import { withGaps } from './gaps'

export interface ChartProps {
  label: string
  unit?: string | null
  /** Seconds since 1970, ascending. */
  times: number[]
  values: (number | null)[]
  /** Seconds between points beyond which a gap is shown; by default five times the usual distance. */
  gap?: number
  height?: number
  /** The range that was dragged, in seconds since 1970. */
  onZoom?: (from: number, to: number) => void
  /** Charts with the same key share their cursor. */
  sync?: string
  range?: [number, number]
  colour?: 0 | 1 | 2 | 3
}

const COLOURS = {
  light: ['#14508c', '#0b7a75', '#a3540b', '#7a3e9d'],
  dark: ['#6aaee6', '#3fc1b8', '#f0a83c', '#c792ea'],
}

/** uPlot: one series, gaps shown as gaps, drag to zoom. */
export default function Plot(props: ChartProps) {
  const { label, unit, times, values, height = 220, onZoom, sync, range, colour = 0, gap } = props
  const { t } = useTranslation()
  const { ref, width } = useElementSize()
  const scheme = useComputedColorScheme('light')
  const format = useFormat()
  const plot = useRef<uPlot | null>(null)
  const zoom = useRef(onZoom)
  zoom.current = onZoom
  const host = useRef<HTMLDivElement>(null)
  const latestRange = useRef(range)
  latestRange.current = range

  // A plot is made anew for a new size, unit or colours; its data follow below.
  // biome-ignore lint/correctness/useExhaustiveDependencies: see above.
  useEffect(() => {
    if (!host.current || width < 60) return
    const style = getComputedStyle(document.documentElement)
    const ink = style.getPropertyValue('--mantine-color-dimmed').trim() || '#556373'
    const grid = scheme === 'dark' ? '#2f3a47' : '#e6eaef'
    const line = COLOURS[scheme][colour] ?? '#14508c'
    const axis = {
      stroke: scheme === 'dark' ? '#9dabba' : ink.startsWith('#') ? ink : '#556373',
      grid: { stroke: grid, width: 1 },
      ticks: { show: false },
    }
    const made = new uPlot(
      {
        width,
        height,
        legend: { show: false },
        cursor: {
          drag: { x: true, y: false, setScale: false },
          sync: sync ? { key: sync } : undefined,
          points: { size: 7 },
        },
        scales: { x: { time: true } },
        axes: [
          {
            ...axis,
            size: 34,
            values: (_, ticks, __, ___, step) =>
              ticks.map((tick) =>
                new Intl.DateTimeFormat(
                  format.locale,
                  step >= 86_400
                    ? { day: 'numeric', month: 'short' }
                    : { hour: '2-digit', minute: '2-digit', second: step < 60 ? '2-digit' : undefined },
                ).format(tick * 1000),
              ),
          },
          {
            ...axis,
            size: 58,
            values: (_, ticks) => ticks.map((tick) => format.number(tick)),
            label: unit || undefined,
            labelSize: unit ? 18 : 0,
            labelFont: '12px system-ui',
          },
        ],
        series: [
          {},
          {
            label,
            stroke: line,
            width: 1.6,
            fill: `${line}18`,
            spanGaps: false,
            points: { show: times.length < 80, size: 4, fill: line },
          },
        ],
        hooks: {
          setSelect: [
            (u) => {
              if (u.select.width < 6) return
              zoom.current?.(u.posToVal(u.select.left, 'x'), u.posToVal(u.select.left + u.select.width, 'x'))
              u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
            },
          ],
          setCursor: [(u) => showTip(u, unit ?? '', format)],
        },
      },
      data(times, values, gap),
      host.current,
    )
    plot.current = made
    const [min, max] = latestRange.current ?? []
    if (min !== undefined && max !== undefined) made.setScale('x', { min, max })
    return () => {
      made.destroy()
      plot.current = null
    }
  }, [width, height, scheme, unit, colour, sync, label, format.locale])

  useEffect(() => {
    plot.current?.setData(data(times, values, gap))
    if (range) plot.current?.setScale('x', { min: range[0], max: range[1] })
  }, [times, values, gap, range])

  const known = values.filter((v) => v !== null)
  const summary = known.length
    ? t('chart.summary', {
        name: label,
        count: known.length,
        min: format.number(known.reduce((a, b) => Math.min(a, b))),
        max: format.number(known.reduce((a, b) => Math.max(a, b))),
        last: format.number(known.at(-1) ?? 0),
        unit: unit ?? '',
      })
    : t('chart.none', { name: label })
  return (
    <div ref={ref} role="img" aria-label={summary} style={{ minHeight: height, position: 'relative' }}>
      <div ref={host} />
    </div>
  )
}

function data(times: number[], values: (number | null)[], gap?: number): uPlot.AlignedData {
  return withGaps(times, values, gap)
}

function showTip(u: uPlot, unit: string, format: ReturnType<typeof useFormat>) {
  let tip = u.over.querySelector<HTMLDivElement>('.plot-tip')
  if (!tip) {
    tip = document.createElement('div')
    tip.className = 'plot-tip'
    u.over.appendChild(tip)
  }
  const { idx, left } = u.cursor
  const value = idx == null ? null : u.data[1]?.[idx]
  if (idx == null || left == null || left < 0 || value == null) {
    tip.style.display = 'none'
    return
  }
  tip.style.display = 'block'
  tip.textContent = `${format.number(value)} ${unit} · ${format.instant((u.data[0][idx] ?? 0) * 1000)}`
  const right = left > u.over.clientWidth / 2
  tip.style.left = right ? '' : `${left + 10}px`
  tip.style.right = right ? `${u.over.clientWidth - left + 10}px` : ''
}
