-- A delivery that a person had processed once more, and which one it repeats.

ALTER TABLE deliveries ADD COLUMN redelivery_of TEXT;
