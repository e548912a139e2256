/* The public header alone. Compiled as C and as C++ of several years with every warning an error. */
#include "turboquant/turboquant.h"
