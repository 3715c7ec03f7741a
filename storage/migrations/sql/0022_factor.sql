-- An administrator ends somebody's second factor, and never reads it.
GRANT UPDATE (factor, factor_since, factor_step) ON people TO hanhtrinh_administrator;
