/* An object without a symbol, as a wrong path or a stripped file would give. check_kernel_object.py must refuse it. */
typedef int nothing;
