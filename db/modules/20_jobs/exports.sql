-- The parts of export_my_data from this module.
select app.register_export('jobs', 'app.export_jobs');
