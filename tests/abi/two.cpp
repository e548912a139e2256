// Links together with one.cpp: the header defines nothing that two units could both define.
#include "turboquant/turboquant.h"

const char* name_seen_by_two();
const char* name_seen_by_two() { return tq_status_name(TQ_OK); }
