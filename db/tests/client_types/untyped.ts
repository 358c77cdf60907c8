import type {
  AnswerTypes,
  ArgumentTypes,
  ColumnTypes,
  Database,
  Json,
  JsonInput,
  ServiceDatabase,
} from 'plinth/client_types'
import type * as generated from 'plinth/types'

// The compiler checks this file: JSON without a type of its own is JSON of any form, and this is why.

type Schema = Database['public']
type Service = ServiceDatabase['public']

type Names<Part, Is> = {
  [Name in keyof Part & string]: {
    [Key in keyof Part[Name] & string]: [Is] extends [Part[Name][Key]] ? `${Name}.${Key}` : never
  }[keyof Part[Name] & string]
}[keyof Part & string]

type Rows<Tables extends Record<string, { Row: unknown }>> = { [Name in keyof Tables]: Tables[Name]['Row'] }
type Inputs<Functions extends Record<string, { Args: unknown }>> = {
  [Name in keyof Functions]: Functions[Name]['Args']
}

const ofClient = 'The document belongs to the client: Plinth stores it unchanged.'

export const untypedColumns: Record<Names<Rows<Schema['Tables']>, NonNullable<Json>>, string> = {
  'agents.prompt_messages': ofClient,
  'agents.response_format': ofClient,
  'characters.lorebook': 'A card as it was inserted; the package that opens is Character Card V2.',
  'characters.tags': 'As lorebook.',
  'data_store_nodes.data_store_fields': ofClient,
  'flows.edges': ofClient,
  'flows.nodes': ofClient,
  'flows.response_template': ofClient,
  'if_nodes.conditions': ofClient,
  'scenarios.first_messages': 'As characters.lorebook.',
  'scenarios.lorebook': 'As characters.lorebook.',
  'scenarios.tags': 'As characters.lorebook.',
  'sessions.all_cards': ofClient,
  'sessions.chat_styles': ofClient,
  'sessions.translation': ofClient,
  'sessions.turn_ids': ofClient,
}

export const untypedServiceColumns: Record<
  Exclude<Names<Rows<Service['Tables']>, NonNullable<Json>>, keyof typeof untypedColumns>,
  string
> = {
  'jobs.input': 'Each job type has its own form.',
  'jobs.output': 'Each job type has its own form.',
}

export const untypedArguments: Record<
  Names<Inputs<Schema['Functions']> & Inputs<Service['Functions']>, NonNullable<JsonInput>>,
  string
> = {
  'answer_task.answer': 'Each question has its own schema.',
}

type AnyAnswer<Functions extends Record<string, { Returns: unknown }>> = {
  [Name in keyof Functions]: [NonNullable<Json>] extends [Functions[Name]['Returns']] ? Name : never
}[keyof Functions]

export const untypedAnswers: Record<AnyAnswer<Schema['Functions']> | AnyAnswer<Service['Functions']>, string> = {}

// A type for a column, an argument or a function that does not exist would never be used.

type Surplus<Types, Known> = {
  [Name in keyof Types & string]: Name extends keyof Known
    ? Exclude<keyof Types[Name], keyof Known[Name]> extends never
      ? never
      : `${Name}.${Exclude<keyof Types[Name], keyof Known[Name]> & string}`
    : Name
}[keyof Types & string]

type Catalog = generated.Database['public']
type ServiceCatalog = generated.ServiceDatabase['public']

export const surplus: Record<
  | Surplus<ColumnTypes, Rows<Catalog['Tables']> & Rows<ServiceCatalog['Tables']> & Catalog['CompositeTypes']>
  | Surplus<ArgumentTypes, Inputs<Catalog['Functions']> & Inputs<ServiceCatalog['Functions']>>
  | Exclude<keyof AnswerTypes, keyof Catalog['Functions'] | keyof ServiceCatalog['Functions']>,
  never
> = {}
