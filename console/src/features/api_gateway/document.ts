/** The parts of an area's OpenAPI document that a page needs. */
export interface Document {
  paths: Record<string, Record<string, Described>>
  components: { schemas: Record<string, Schema> }
}

interface Described {
  operationId: string
  summary: string
  description?: string
  deprecated?: boolean
  parameters?: Parameter[]
  requestBody?: { required?: boolean; content: Record<string, { schema?: Schema }> }
}

export interface Parameter {
  name: string
  in: 'path' | 'query' | 'header' | 'cookie'
  required?: boolean
  description?: string
  schema?: Schema
}

export interface Schema {
  $ref?: string
  type?: string | string[]
  properties?: Record<string, Schema>
  required?: string[]
  items?: Schema
  anyOf?: Schema[]
  oneOf?: Schema[]
  enum?: unknown[]
  const?: unknown
  default?: unknown
  examples?: unknown[]
  minimum?: number
}

export type Method = 'GET' | 'POST' | 'PATCH' | 'PUT' | 'DELETE'

/** One call, ready to be shown and tried. */
export interface Call {
  id: string
  method: Method
  path: string
  text: string
  deprecated: boolean
  asked: Parameter[]
  /** The media type of what it takes; nothing where it takes nothing. */
  takes?: string
  /** A body to begin with, where it takes JSON. */
  sample?: string
}

/** Give the calls of a document in its order. */
export function callsOf(document: Document): Call[] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, told]) => {
      const content = told.requestBody?.content ?? {}
      const takes = 'application/json' in content ? 'application/json' : Object.keys(content)[0]
      const schema = content['application/json']?.schema
      return {
        id: told.operationId,
        method: method.toUpperCase() as Method,
        path,
        text: told.description || told.summary,
        deprecated: !!told.deprecated,
        asked: (told.parameters ?? []).filter((one) => one.in === 'path' || one.in === 'query'),
        takes,
        sample: schema && JSON.stringify(sampleOf(schema, document), null, 2),
      }
    }),
  )
}

/** Make a small value of a schema's shape: what is required, and no more. */
export function sampleOf(schema: Schema, document: Document, depth = 0): unknown {
  if (schema.$ref) {
    const named = document.components.schemas[schema.$ref.split('/').at(-1) ?? '']
    return named && depth < 6 ? sampleOf(named, document, depth + 1) : null
  }
  if (schema.examples?.length) return schema.examples[0]
  if (schema.default !== undefined) return schema.default
  if (schema.const !== undefined) return schema.const
  if (schema.enum?.length) return schema.enum[0]
  const either = (schema.anyOf ?? schema.oneOf)?.find((one) => one.type !== 'null')
  if (either) return sampleOf(either, document, depth)
  if (schema.properties) {
    const wanted = schema.required ?? []
    return Object.fromEntries(
      Object.entries(schema.properties)
        .filter(([name]) => wanted.includes(name))
        .map(([name, inner]) => [name, sampleOf(inner, document, depth + 1)]),
    )
  }
  switch (schema.type) {
    case 'array':
      return []
    case 'object':
      return {}
    case 'integer':
    case 'number':
      return schema.minimum ?? 1
    case 'boolean':
      return true
    case 'string':
      return ''
    default:
      return null
  }
}

/** Put what was typed into the places of a path. */
export function filled(path: string, typed: Record<string, string>): string {
  return path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(typed[name] ?? ''))
}
