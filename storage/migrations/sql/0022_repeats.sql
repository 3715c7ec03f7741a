-- What is deleted by its age is found by it.
CREATE INDEX repeat_counts_day ON repeat_counts USING brin (day);
