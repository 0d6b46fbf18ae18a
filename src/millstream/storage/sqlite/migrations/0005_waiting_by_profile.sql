-- A merge moves what waits at every destination; by profile first, so that it does not read the whole table.
DROP INDEX waiting_profile;
CREATE INDEX waiting_profile ON waiting (profile, destination);
