// First of two translation units that include the header; see two.cpp.
#include "turboquant/turboquant.h"

const char* name_seen_by_two();

int main() { return tq_status_name(TQ_OK) == name_seen_by_two() ? 0 : 1; }
