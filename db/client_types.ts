// Types for clients in TypeScript: db/types.ts, which is generated, with the types of JSON documents.
//
//   const supabase = createClient<Database>(url, key)
//
// db/tests/client_types compiles this file with strict compilers, and compares each document with answers of the database.

import type { Database as Generated, ServiceDatabase as GeneratedService, Json, JsonInput } from './types.ts'

export type { Json, JsonInput }

/** A JSON object of any form. */
export type JsonObject = { [key: string]: Json | undefined }

/** The database of clients, anonymous or signed in. */
export type Database = { public: Refine<Generated['public']> }

/** The database of servers with the secret key. */
export type ServiceDatabase = { public: Refine<GeneratedService['public']> }

type Public = Database['public']

/** A row of a table or a view: `Tables<'dramas'>`. */
export type Tables<Name extends keyof (Public['Tables'] & Public['Views'])> = (Public['Tables'] &
  Public['Views'])[Name]['Row']

/** The columns that a client may insert into a table. */
export type TablesInsert<Name extends keyof Public['Tables']> = Public['Tables'][Name]['Insert']

/** The columns that a client may change in a table. */
export type TablesUpdate<Name extends keyof Public['Tables']> = Public['Tables'][Name]['Update']

/** The arguments of a function: `Arguments<'share_flow'>`. */
export type Arguments<Name extends keyof Public['Functions']> = Public['Functions'][Name]['Args']

/** The answer of a function. */
export type Answer<Name extends keyof Public['Functions']> = Public['Functions'][Name]['Returns']

// Rows and composite types that have names of their own.

export type Task = Tables<'tasks'>
export type Job = Tables<'jobs'>
export type JobStatus = Generated['public']['Tables']['jobs']['Row']['status']
export type Run = Tables<'runs'>
export type Order = Tables<'orders'>
export type Notification = Tables<'notifications'>
export type ShareLink = Public['CompositeTypes']['share_link']
export type OwnShare = Public['CompositeTypes']['own_share']
export type ShareDescription = Public['CompositeTypes']['share_description']
export type NewApiKey = Public['CompositeTypes']['new_api_key']
export type MediaLimits = Public['CompositeTypes']['media_limits']

// Sharing

export type Visibility = 'unlisted' | 'public'

/** A flow, as get_shared_resource returns it. Fields that Plinth does not know are kept. */
export type Flow = {
  name: string
  description: string | null
  /** The nodes of the editor, as the client has them. */
  nodes: Json[]
  /** The edges of the editor, as the client has them. */
  edges: Json[]
  responseTemplate: Json
  /** Agents by node id. */
  agents: { [id: string]: FlowAgent }
  dataStoreNodes: { [id: string]: FlowDataStore }
  ifNodes: { [id: string]: FlowCondition }
}

export type FlowAgent = {
  name?: Json
  promptMessages?: Json
  modelTier?: Json
  temperature?: number | null
  maxTokens?: number | null
  topP?: number | null
  frequencyPenalty?: number | null
  presencePenalty?: number | null
  responseFormat?: Json
}

export type FlowDataStore = { name?: Json; color?: Json; dataStoreFields?: Json }

export type FlowCondition = { name?: Json; conditions?: Json }

/** A flow to share. Other fields are kept, too. */
export type FlowInput = {
  name: string
  description?: string | null
  nodes: readonly JsonInput[]
  edges: readonly JsonInput[]
  responseTemplate?: JsonInput
  agents?: {
    [id: string]: {
      name?: JsonInput
      promptMessages?: JsonInput
      modelTier?: JsonInput
      temperature?: number | null
      maxTokens?: number | null
      topP?: number | null
      frequencyPenalty?: number | null
      presencePenalty?: number | null
      responseFormat?: JsonInput
    }
  } | null
  dataStoreNodes?: { [id: string]: { name?: JsonInput; color?: JsonInput; dataStoreFields?: JsonInput } } | null
  ifNodes?: { [id: string]: { name?: JsonInput; conditions?: JsonInput } } | null
}

/** A card as get_shared_resource returns it: Character Card V2. */
export type CharacterCard = {
  spec: 'chara_card_v2'
  spec_version: '2.0'
  data: {
    name: string
    description: string
    personality: string
    scenario: string
    first_mes: string
    mes_example: string
    creator_notes: string
    system_prompt: string
    post_history_instructions: string
    alternate_greetings: string[]
    character_book?: CharacterBook
    tags: string[]
    creator: string
    character_version: string
    extensions: CardExtensions
  }
}

/** The extensions of a card: those of its author, and five of Plinth. */
export type CardExtensions = {
  icon_url: string | null
  /** Repeats creator_notes. */
  cardSummary: string
  /** Repeats character_version. */
  version: string
  createdAt: string
  updatedAt: string
  [name: string]: Json
}

export type CharacterBook = {
  name?: string
  description?: string
  scan_depth?: number
  token_budget?: number
  recursive_scanning?: boolean
  extensions: JsonObject
  entries: CharacterBookEntry[]
}

export type CharacterBookEntry = {
  keys: string[]
  content: string
  extensions: JsonObject
  enabled: boolean
  insertion_order: number
  case_sensitive?: boolean
  name?: string
  priority?: number
  id?: number
  comment?: string
  selective?: boolean
  secondary_keys?: string[]
  constant?: boolean
  position?: 'before_char' | 'after_char'
}

/** A card to share: V2 or V3, or V1, whose fields have no data around them. Editors write much; only name is required. */
export type CardInput = { spec: string; spec_version?: string; data: { name: string } } | { spec?: never; name: string }

/** A session as get_shared_resource returns it. Fields that Plinth does not know are kept. */
export type Session = {
  title: string | null
  all_cards: SessionCard[]
  user_character_card_id: string | null
  turn_ids: Json[] | null
  background_id: string | null
  background_url: string | null
  cover_id: string | null
  cover_url: string | null
  translation: Json
  chat_styles: Json
  flow_id: string | null
  flow: Flow | null
}

/** A card of a session: what the client sent, and the URL of its icon. */
export type SessionCard = { icon_asset_id?: string | null; icon_url: string | null; [field: string]: Json | undefined }

/** A session to share. Other fields are kept, too. */
export type SessionInput = {
  title?: string | null
  /** Each card is an object; its icon_asset_id is the assetId of an upload, or null. */
  all_cards?: readonly object[] | null
  user_character_card_id?: string | null
  turn_ids?: readonly JsonInput[] | null
  background_id?: string | null
  cover_id?: string | null
  translation?: JsonInput
  chat_styles?: JsonInput
  flow_id?: string | null
  flow?: FlowInput | null
}

/** The document that get_shared_resource returns. `'spec' in document` tells a card, `'nodes' in document` a flow. */
export type SharedResource = Flow | CharacterCard | Session

/** A page of list_public_shares. */
export type PublicShareList = {
  shares: ShareDescription[]
  /** For the parameter after; null on the last page. */
  next: string | null
}

// Templates

export type TemplateFile = {
  locale: 'fr' | 'en' | null
  storage_path: string
  sha256: string
}

export type TemplateArtifact = TemplateFile & { kind: string; size_bytes: number; content_type: string }

export type TemplatePrompt = TemplateFile & { role: 'system' | 'manager' | 'user' }

export type TemplateManifest = {
  template: string
  version: string
  version_id: string
  status: 'draft' | 'stable' | 'deprecated'
  changelog: string | null
  artifacts: TemplateArtifact[]
  prompts: TemplatePrompt[]
}

/** The answer of publish_template_version. */
export type PublishedVersion = {
  template: string
  version: string
  version_id: string
  status: 'draft' | 'stable'
  is_new: boolean
  is_default: boolean
}

// Jobs

/** A job with all jobs below it. */
export type JobTree = {
  id: number
  key: string
  type: string
  status: JobStatus
  /** 0 to 1. */
  progress: number
  created_at: string
  started_at: string | null
  finished_at: string | null
  error: { slug: string; message: string } | null
  /** Why a queued step does not start although it is due. */
  waiting: {
    slug: 'provider_delay' | 'day_spent' | 'buying_stopped' | 'open_limit'
    message: string
    until: string | null
  } | null
  children: JobTree[]
}

/** A step for submit_run. */
export type RunSpec = {
  key: string
  type: string
  input?: JsonInput
  steps?: readonly RunSpec[]
  depends_on?: readonly string[]
  on_failure?: 'fail_run' | 'skip_dependents' | 'continue'
  collect?: 'children'
  /** -100 to 100, lower first. */
  priority?: number
}

// Dramas

/** The options of generate_drama. A drama that was only saved has none. */
export type DramaOptions = {
  /** 1 to 24. */
  episodes?: number
  /** 1 to 30. */
  scenes_per_episode?: number
  /** 1 to 20. */
  characters?: number
  with_video?: boolean
  language?: string
  style?: string
  image_model?: string
  video_model?: string
}

/** A drama with its characters, episodes and scenes, each list in its order: docs/drama.schema.json. */
export type Drama = {
  id: string
  external_id: string | null
  title: string
  premise: string
  logline: string
  genre: string
  language: string
  style: string
  model: string
  cover_url: string | null
  options: DramaOptions
  extra: JsonObject
  run_id: number | null
  created_at: string
  updated_at: string
  characters: DramaCharacter[]
  episodes: DramaEpisode[]
}

export type DramaCharacter = {
  id: string
  name: string
  role: string
  description: string
  appearance: string
  portrait_url: string | null
  portrait_job_id: number | null
  extra: JsonObject
}

export type DramaEpisode = {
  id: string
  title: string
  summary: string
  script: string
  extra: JsonObject
  scenes: DramaScene[]
}

export type DramaScene = {
  id: string
  title: string
  summary: string
  text: string
  image_prompt: string
  video_prompt: string
  character_ids: string[]
  image_url: string | null
  image_job_id: number | null
  video_url: string | null
  video_job_id: number | null
  audio_url: string | null
  extra: JsonObject
}

type Writable<Part> = { [Key in keyof Part]?: Part[Key] extends JsonObject ? object : Part[Key] }

/** A drama for save_drama_complete. Fields that are left out become empty; a part without an id is new. */
export type DramaInput = Writable<Omit<Drama, 'options' | 'updated_at' | 'characters' | 'episodes'>> & {
  /** Ignored: generate_drama sets the options. */
  options?: object
  /** As get_drama_complete returned it; left out or null: the drama is new. */
  updated_at?: string | null
  characters?: readonly Writable<DramaCharacter>[]
  episodes?: readonly (Writable<Omit<DramaEpisode, 'scenes'>> & { scenes?: readonly Writable<DramaScene>[] })[]
}

/** A page of list_dramas. */
export type DramaList = {
  dramas: {
    id: string
    external_id: string | null
    title: string
    premise: string
    cover_url: string | null
    model: string
    /** How many the drama has; likewise episodes and scenes. */
    characters: number
    episodes: number
    scenes: number
    run_id: number | null
    /** The status of the run. */
    status: JobStatus | null
    failed_steps: number
    created_at: string
    updated_at: string
  }[]
  /** For the parameter after; null on the last page. */
  next: string | null
}

// Tasks

/** The result of a task, partial until the task is completed. */
export type TaskResult = {
  text: string
  /** While a question is open. */
  question?: TaskQuestion
  stopped_by?: 'max_ticks'
}

/** Send tick and the answer with answer_task. */
export type TaskQuestion = { tick: number; text: string; schema?: AnswerSchema }

/** The JSON Schema of an answer. */
export type AnswerSchema = { type: 'string' | 'number' | 'boolean' } | { enum: string[] }

export type TaskUsage = { model: string; input_tokens: number; output_tokens: number; calls: number }

/** A page of list_tasks. */
export type TaskList = {
  tasks: Task[]
  /** For the parameter before; null on the last page. */
  next: string | null
}

// Studio

export type GenerationStatus = Generated['public']['Tables']['generations']['Row']['status']

/** The answer of process_image, analyze_face and cancel_generation. Table generations has the row of generation_id. */
export type Generation = {
  generation_id: string
  status: GenerationStatus
  /** Whether the answer is that of an earlier request, which costs nothing. */
  cached: boolean
  /** The image, once it is completed; null for an analysis. */
  url: string | null
  /** The result of an analysis, which follows result_schema of the tool. */
  result: JsonObject | null
  /** How many credits the caller can still spend. */
  credits: number
}

/** A page of list_generations. */
export type GenerationList = {
  generations: Tables<'generations'>[]
  /** For the parameter before; null on the last page. */
  next: string | null
}

// Accounts and payments

/** The answer of export_my_data. A client ignores keys that it does not know. */
export type Export = { exported_at: string; profile: JsonObject; [kind: string]: Json }

/** The customer, as Paymob demands it. */
export type Billing = { first_name: string; last_name: string; email: string; phone: string }

/** A JSON Schema of the parameters of a tool. */
export type ToolParameters = {
  type: 'object'
  description?: string
  properties?: { [name: string]: JsonObject }
  required?: string[]
  additionalProperties: false
}

/** The types of columns and attributes that Postgres knows only as JSON or text. Null is added where a column may be null. */
export type ColumnTypes = {
  drama_characters: { extra: JsonObject }
  dramas: { options: DramaOptions }
  generations: { tool_parameters: { [name: string]: string | number | boolean }; result: JsonObject }
  new_api_key: { scopes: ('read' | 'write')[] }
  notifications: { data: JsonObject }
  own_share: { resource_type: 'flow' | 'card_character' | 'card_scenario' | 'session'; visibility: Visibility }
  share_description: { type: 'flow' | 'card' | 'session'; kind: 'character' | 'scenario' }
  tasks: { result: TaskResult; usage: TaskUsage }
  templates: { default_version_status: 'stable' }
  tools: { parameters: ToolParameters; result_schema: JsonObject }
}

/** The types of arguments that Postgres knows only as JSON or text. */
export type ArgumentTypes = {
  analyze_face: { tool_parameters: object }
  create_api_key: { scopes: readonly ('read' | 'write')[] }
  create_order: { kind: 'plan' | 'credit_pack'; billing: Billing }
  generate_drama: { options: DramaOptions }
  process_image: { tool_parameters: object }
  publish_template_version: {
    artifacts: readonly TemplateArtifact[]
    prompts: readonly TemplatePrompt[]
    status: 'stable' | 'draft'
  }
  regenerate_asset: { kind: 'portrait' | 'image' | 'video' }
  save_drama_complete: { drama: DramaInput }
  set_template_channel: { weights: { [semver: string]: number } }
  share_card: { card: CardInput; kind: 'character' | 'scenario'; visibility: Visibility }
  share_flow: { flow: FlowInput; visibility: Visibility }
  share_session: { session: SessionInput; flow: FlowInput; visibility: Visibility }
  submit_run: { spec: RunSpec }
  template_manifest: { locale: 'fr' | 'en' }
}

/** The answers that Postgres knows only as JSON or text. */
export type AnswerTypes = {
  analyze_face: Generation
  cancel_generation: Generation
  cancel_job: 'cancelled'
  export_my_data: Export
  get_drama_complete: Drama
  get_shared_resource: SharedResource
  job_tree: JobTree
  list_dramas: DramaList
  list_generations: GenerationList
  list_public_shares: PublicShareList
  list_tasks: TaskList
  process_image: Generation
  publish_template_version: PublishedVersion
  retry_job: JobStatus
  save_drama_complete: Drama
  set_default_version: { template: string; version: string; previous: string | null }
  set_template_channel: { template: string; channel: string; weights: { [semver: string]: number } }
  template_manifest: TemplateManifest
}

// How the types above replace those of db/types.ts.

type Refine<Schema> = {
  [Part in keyof Schema]: Part extends 'Functions'
    ? { [Name in keyof Schema[Part]]: RefineFunction<Name, Schema[Part][Name]> }
    : Part extends 'CompositeTypes'
      ? { [Name in keyof Schema[Part]]: RefineRow<Name, Schema[Part][Name]> }
      : { [Name in keyof Schema[Part]]: RefineTable<Name, Schema[Part][Name]> }
}

type RefineTable<Name, Table> = {
  [Part in keyof Table]: Part extends 'Row'
    ? RefineRow<Name, Table[Part]>
    : Part extends 'Insert' | 'Update'
      ? RefineInput<Name, Table[Part]>
      : Table[Part]
}

type RefineFunction<Name, Function> = {
  [Part in keyof Function]: Part extends 'Args'
    ? Name extends keyof ArgumentTypes
      ? Replace<Function[Part], ArgumentTypes[Name]>
      : Function[Part]
    : Part extends 'Returns'
      ? Name extends keyof AnswerTypes
        ? AnswerTypes[Name]
        : Function extends { SetofOptions: { to: infer Row } }
          ? Function[Part] extends (infer Element)[]
            ? RefineRow<Row, Element>[]
            : RefineRow<Row, Function[Part]>
          : Function[Part]
      : Function[Part]
}

type RefineRow<Name, Row> = Name extends keyof ColumnTypes ? Replace<Row, ColumnTypes[Name]> : Row

/** Where a document has no type of its own for requests, any object fits. */
type RefineInput<Name, Row> = [Row] extends [never]
  ? never
  : Name extends keyof ColumnTypes
    ? Replace<Row, { [Key in keyof ColumnTypes[Name]]: Loose<ColumnTypes[Name][Key]> }>
    : Row

/** An interface does not fit an index signature. */
type Loose<Type> = JsonObject extends Type ? object : Type

type Replace<Row, Types> = {
  [Key in keyof Row]: Key extends keyof Types ? Types[Key] | Extract<Row[Key], null> : Row[Key]
}
