import type { Outcome } from '@/api/types'
import { useValueText, type Value } from '@/features/telemetry/LatestValues'
import { unitText } from '@/features/telemetry/units'

/** Write what a decoder made of a message in one line. */
export function useOutcomeText() {
  const text = useValueText()
  return (outcome: Outcome): string => {
    if (outcome.problem) return outcome.problem.message
    const parts = (outcome.readings ?? []).flatMap((one) => [
      ...Object.entries(one.values).map(([series, value]) =>
        `${series} ${text(value as Value)} ${unitText(one.units?.[series])}`.trim(),
      ),
      ...(one.location ? [`${one.location.latitude}, ${one.location.longitude}`] : []),
    ])
    return parts.join(' · ') || '–'
  }
}
