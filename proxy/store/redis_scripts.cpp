#include "store/redis_scripts.h"

namespace weir::store::scripts {

#define redis_script(name, sha1, text) const RedisScript name{sha1, text, #name};
#include "store_scripts.inc"
#undef redis_script

}  // namespace weir::store::scripts
