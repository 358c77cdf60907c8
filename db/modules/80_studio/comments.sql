-- Comments on the tables and columns of this module.

comment on table public.tools is
$$The tools of the photo app. service_role and operators write this table.

Subscribe to learn that a tool changes or is disabled. From origin 004.$$;
comment on column public.tools.key is 'A name for programs that does not change.';
comment on column public.tools.category is 'The group in which clients show the tool.';
comment on column public.tools.kind is
  'image: the result is an image. analysis: the result is JSON that follows result_schema.';
comment on column public.tools.prompt is
  'The prompt for the model. {{name}} stands for a property of parameters.';
comment on column public.tools.model is 'The model that runs the tool, by its name at Gemini.';
comment on column public.tools.parameters is
  'A JSON Schema of the parameters: an object of strings, numbers and booleans, each with limits.';
comment on column public.tools.result_schema is
  'A JSON Schema of the result of an analysis. Null for images.';
comment on column public.tools.cost is 'How many credits a use of the tool costs.';
comment on column public.tools.enabled is 'Whether the tool is offered.';
comment on column public.tools.version is
  'Rises when prompt, model, parameters, kind or result_schema changes.';
comment on column public.tools.sort is 'Clients list tools by sort, lowest first.';

comment on table public.hairstyles is
  'Hairstyles to choose from. service_role and operators write this table. From origin 004.';
comment on column public.hairstyles.key is 'A name for programs that does not change.';
comment on column public.hairstyles.category is 'The group in which clients show the hairstyle.';
comment on column public.hairstyles.prompt is
  'The hairstyle in words for a model: a value for parameter hairstyle of a tool.';
comment on column public.hairstyles.image_url is 'A picture of the hairstyle. Null: none.';
comment on column public.hairstyles.enabled is 'Whether the hairstyle is offered.';
comment on column public.hairstyles.sort is 'Clients list hairstyles by sort, lowest first.';

comment on table public.colors is
  'Colors to choose from. service_role and operators write this table. From origin 004.';
comment on column public.colors.key is 'A name for programs that does not change.';
comment on column public.colors.category is 'The group in which clients show the color.';
comment on column public.colors.hex is 'The color as #rrggbb, for a swatch.';
comment on column public.colors.prompt is
  'The color in words for a model: a value for parameter color of a tool.';
comment on column public.colors.enabled is 'Whether the color is offered.';
comment on column public.colors.sort is 'Clients list colors by sort, lowest first.';
