#pragma once
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

namespace footlight::net {

template <auto kFree>
struct OpensslDelete {
  template <class T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using SslPtr = std::unique_ptr<SSL, OpensslDelete<SSL_free>>;
using X509Ptr = std::unique_ptr<X509, OpensslDelete<X509_free>>;
using BioPtr = std::unique_ptr<BIO, OpensslDelete<BIO_free_all>>;

// The oldest entry of OpenSSL's error queue of this thread, which is the cause of the others, as a
// sentence; clears the queue.
std::string openssl_fault();

}  // namespace footlight::net
