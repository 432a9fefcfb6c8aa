-- Run once, when the volume is new. The services' role owns its database and nothing else; the superuser can then be
-- reached only from inside the container, where it needs no password.
\getenv password POSTGRES_PASSWORD
CREATE ROLE topicflow LOGIN PASSWORD :'password';
CREATE DATABASE topicflow OWNER topicflow;
ALTER ROLE postgres PASSWORD NULL;
