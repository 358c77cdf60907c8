-- The parts of export_my_data from this module.
select
  app.register_export('generations', 'app.export_generations'),
  app.register_export('generation_requests', 'app.export_generation_requests');
