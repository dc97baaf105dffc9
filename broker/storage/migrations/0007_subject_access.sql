-- Subject access (GDPR article 15): the asks of which a party is the principal, without a look at the table.
CREATE INDEX exchanges_for ON exchanges (principal, purpose, epoch, ask_index) WHERE principal IS NOT NULL;
