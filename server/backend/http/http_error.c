/* SPDX-License-Identifier: Apache-2.0 */
/* The errors of libcurl, translated once, each with what the operator has to do. */
#include <openssl/x509_vfy.h>
#include <stdio.h>

#include "comb/v1/errors.grpcc.h"
#include "server/backend/http/internal.h"

static const struct {
    CURLcode code;
    const char *advice;
} ERRORS[] = {
    {CURLE_COULDNT_RESOLVE_HOST, "no such host: check its name in the URL, and the DNS"},
    {CURLE_COULDNT_CONNECT, "nothing answers there: start it, or check host and port"},
    {CURLE_OPERATION_TIMEDOUT, "no answer in time: it is overloaded, frozen or cut off"},
    {CURLE_SSL_CONNECT_ERROR, "no TLS there: check the port, and whether it wants a certificate"},
    {CURLE_SSL_CERTPROBLEM, "the client's certificate or key is no good: check cert= and key="},
    {CURLE_SSL_CACERT_BADFILE, "the file of CAs cannot be read: check ca="},
    {CURLE_WEIRD_SERVER_REPLY, "it speaks something else than HTTP: check the port"},
    {CURLE_UNSUPPORTED_PROTOCOL, "it speaks something else than HTTP: check the port and TLS"},
    {CURLE_GOT_NOTHING, "it closed the connection without an answer"},
    {CURLE_PARTIAL_FILE, "the connection was lost in the middle of an answer"},
    {CURLE_RECV_ERROR, "the connection was lost"},
    {CURLE_SEND_ERROR, "the connection was lost"},
};

/* OpenSSL's verdict on the server's certificate. */
static const struct {
    long verdict;
    const char *advice;
} VERDICTS[] = {
    {X509_V_ERR_CERT_HAS_EXPIRED, "its certificate has expired: renew it"},
    {X509_V_ERR_CERT_NOT_YET_VALID, "its certificate is not valid yet: check both clocks"},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, "its certificate is of no known CA: give it by ca="},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "its certificate is of no known CA: give it by ca="},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "its certificate is of no known CA: give it by ca="},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
     "its certificate is of no known CA: give it by ca="},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
     "its certificate is of no known CA: give it by ca="},
    {X509_V_OK, "its certificate is for another host: use the name that it is for"},
};

static const char *advice_of(CURLcode code, long verdict)
{
    if (code == CURLE_PEER_FAILED_VERIFICATION) {
        for (size_t i = 0; i < sizeof VERDICTS / sizeof VERDICTS[0]; i++) {
            if (VERDICTS[i].verdict == verdict)
                return VERDICTS[i].advice;
        }
    }
    for (size_t i = 0; i < sizeof ERRORS / sizeof ERRORS[0]; i++) {
        if (ERRORS[i].code == code)
            return ERRORS[i].advice;
    }
    return curl_easy_strerror(code);
}

enum comb_status http_error_set(const struct comb_http *http, struct comb_error *err, CURLcode code,
                                size_t host, long verify_result, const char *detail)
{
    if (code == CURLE_OUT_OF_MEMORY)
        return comb_error_no_memory(err);
    comb_error_set(err, COMB_UNAVAILABLE, COMB_V1_ERROR_REASON_STORE_UNAVAILABLE,
                   "%s at %s:%u: %s%s%.80s%s", http->options.store, http->hosts[host],
                   (unsigned)http->options.url.hosts[host].port, advice_of(code, verify_result),
                   detail[0] != '\0' ? " (" : "", detail, detail[0] != '\0' ? ")" : "");
    if (err) {
        err->domain = http->options.domain;
        err->native = code;
        err->retryable = true;
    }
    return COMB_UNAVAILABLE;
}
