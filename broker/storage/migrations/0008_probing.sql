-- Guards against probing: which subjects a party asked about, as marks under a key of the scope, while the epoch lasts.
CREATE TABLE asked_questions (
    id INTEGER PRIMARY KEY,
    scope TEXT NOT NULL,
    asker TEXT NOT NULL,
    exchange TEXT NOT NULL,
    asked_at INTEGER NOT NULL,
    question_rows INTEGER NOT NULL,
    subjects INTEGER NOT NULL,
    keep_until INTEGER NOT NULL
) STRICT;
CREATE INDEX asked_in_scope ON asked_questions (scope, asked_at);
CREATE INDEX asked_of ON asked_questions (asker, exchange);
CREATE INDEX asked_kept ON asked_questions (keep_until);
CREATE TABLE asked_subjects (
    mark BLOB NOT NULL,
    question INTEGER NOT NULL REFERENCES asked_questions (id) ON DELETE CASCADE,
    PRIMARY KEY (mark, question)
) STRICT, WITHOUT ROWID;
CREATE INDEX asked_by_question ON asked_subjects (question);
