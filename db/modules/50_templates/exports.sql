-- The parts of export_my_data from this module.
select app.register_export('template_versions', 'app.export_template_versions');
