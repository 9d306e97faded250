#include "store/virtual_files.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- Contents. ---- */

/* Makes room for both contents, so that neither sync nor crash needs memory. */
static bool reserve(struct virtual_file *file, uint64_t size)
{
    uint64_t capacity = file->capacity + file->capacity / 2;
    uint8_t *shown;
    uint8_t *durable;

    if (size <= file->capacity)
        return true;
    if (capacity < size)
        capacity = size;
    shown = realloc(file->shown.bytes, capacity);
    if (shown == NULL)
        return false;
    file->shown.bytes = shown;
    durable = realloc(file->durable.bytes, capacity);
    if (durable == NULL)
        return false;
    file->durable.bytes = durable;
    file->capacity = capacity;
    return true;
}

static void resize(struct virtual_content *content, uint64_t size)
{
    if (size > content->size)
        memset(content->bytes + content->size, 0, size - content->size);
    content->size = size;
}

static void put(struct virtual_content *content, uint64_t offset, const uint8_t *bytes,
                uint64_t size)
{
    if (size == 0)
        return;
    if (offset > content->size)
        resize(content, offset);
    memcpy(content->bytes + offset, bytes, size);
    if (offset + size > content->size)
        content->size = offset + size;
}

static bool is_same(const struct virtual_content *a, const struct virtual_content *b)
{
    return a->size == b->size && (a->size == 0 || memcmp(a->bytes, b->bytes, a->size) == 0);
}

/* ---- Names. ---- */

static struct virtual_name *find(struct virtual_directory *directory, const char *name)
{
    for (size_t i = 0; i < directory->count; i++)
        if (strcmp(directory->names[i].text, name) == 0)
            return &directory->names[i];
    return NULL;
}

static struct virtual_file *find_file(const struct virtual_directory *directory, const char *name)
{
    for (size_t i = 0; i < directory->count; i++)
        if (strcmp(directory->names[i].text, name) == 0)
            return directory->names[i].file;
    return NULL;
}

static void set_name(struct virtual_directory *directory, const char *name,
                     struct virtual_file *file)
{
    struct virtual_name *entry = find(directory, name);

    if (entry == NULL) {
        assert(directory->count < VIRTUAL_NAMES_MAX); /* has_room() has seen to it. */
        entry = &directory->names[directory->count++];
        memcpy(entry->text, name, strlen(name) + 1);
    }
    entry->file = file;
}

static void unset_name(struct virtual_directory *directory, const char *name)
{
    struct virtual_name *entry = find(directory, name);

    if (entry == NULL)
        return;
    directory->count--;
    memmove(entry, entry + 1,
            sizeof(*entry) * (size_t)(directory->names + directory->count - entry));
}

static bool is_of_names(const struct virtual_change *change)
{
    return change->kind != VIRTUAL_CHANGE_WRITE && change->kind != VIRTUAL_CHANGE_TRUNCATE;
}

static void apply_to_names(struct virtual_directory *directory, const struct virtual_change *change)
{
    if (change->kind == VIRTUAL_CHANGE_DELETE) {
        unset_name(directory, change->name);
        return;
    }
    if (change->kind == VIRTUAL_CHANGE_RENAME)
        unset_name(directory, change->from);
    set_name(directory, change->name, change->file);
}

/* ---- Changes. ---- */

static void free_file(struct virtual_file *file)
{
    free(file->shown.bytes);
    free(file->durable.bytes);
    free(file);
}

/* Removes the changes for which keep is false, in order. */
static void drop_changes(struct virtual_files *files,
                         bool (*is_done)(const struct virtual_change *change, const void *context),
                         const void *context)
{
    size_t kept = 0;

    for (size_t i = 0; i < files->change_count; i++) {
        if (is_done(&files->changes[i], context))
            free(files->changes[i].bytes);
        else if (kept++ != i)
            files->changes[kept - 1] = files->changes[i];
    }
    files->change_count = kept;
}

static bool is_of_file(const struct virtual_change *change, const void *file)
{
    return change->file == file && !is_of_names(change);
}

static bool is_of_directory(const struct virtual_change *change, const void *context)
{
    (void)context;
    return is_of_names(change);
}

static bool is_any(const struct virtual_change *change, const void *context)
{
    (void)change;
    (void)context;
    return true;
}

static bool is_dying(const struct virtual_change *change, const void *context)
{
    (void)context;
    return change->dying;
}

static bool is_needed(const struct virtual_files *files, const struct virtual_file *file)
{
    if (file->opened > 0)
        return true;
    for (size_t i = 0; i < files->shown.count; i++)
        if (files->shown.names[i].file == file)
            return true;
    for (size_t i = 0; i < files->durable.count; i++)
        if (files->durable.names[i].file == file)
            return true;
    for (size_t i = 0; i < files->change_count; i++)
        if (files->changes[i].file == file && is_of_names(&files->changes[i]))
            return true;
    return false;
}

/* Frees the files that nobody has open and that no crash could bring back. */
static void forget_files(struct virtual_files *files)
{
    struct virtual_file **place = &files->first;

    while (*place != NULL) {
        struct virtual_file *file = *place;

        if (is_needed(files, file)) {
            place = &file->next;
            continue;
        }
        drop_changes(files, is_of_file, file);
        *place = file->next;
        free_file(file);
    }
}

/* The next change, all zero but for its kind; NULL without memory. */
static struct virtual_change *add_change(struct virtual_files *files, enum virtual_change_kind kind,
                                         struct virtual_file *file)
{
    struct virtual_change *change;

    if (files->change_count == files->change_capacity) {
        size_t capacity = files->change_capacity == 0 ? 16 : 2 * files->change_capacity;
        struct virtual_change *changes = realloc(files->changes, capacity * sizeof(*changes));

        if (changes == NULL)
            return NULL;
        files->changes = changes;
        files->change_capacity = capacity;
    }
    change = &files->changes[files->change_count];
    change->kind = kind;
    change->dying = false;
    change->file = file;
    change->offset = 0;
    change->size = 0;
    change->bytes = NULL;
    change->from[0] = '\0';
    change->name[0] = '\0';
    files->change_count++;
    return change;
}

static struct virtual_change *add_write(struct virtual_files *files, struct virtual_file *file,
                                        uint64_t offset, const uint8_t *bytes, uint64_t size)
{
    struct virtual_change *change = NULL;
    uint8_t *copy = malloc(size);

    if (copy != NULL && reserve(file, offset + size))
        change = add_change(files, VIRTUAL_CHANGE_WRITE, file);
    if (change == NULL) {
        free(copy);
        return NULL;
    }
    memcpy(copy, bytes, size);
    change->offset = offset;
    change->size = size;
    change->bytes = copy;
    return change;
}

int virtual_files_write(struct virtual_files *files, struct virtual_file *file, uint64_t offset,
                        const uint8_t *bytes, uint64_t size)
{
    if (size == 0)
        return 0;
    if (add_write(files, file, offset, bytes, size) == NULL)
        return ENOMEM;
    put(&file->shown, offset, bytes, size);
    return 0;
}

void virtual_files_note_dying_write(struct virtual_files *files, struct virtual_file *file,
                                    uint64_t offset, const uint8_t *bytes, uint64_t size)
{
    struct virtual_change *change = size == 0 ? NULL : add_write(files, file, offset, bytes, size);

    if (change != NULL)
        change->dying = true;
}

int virtual_files_truncate(struct virtual_files *files, struct virtual_file *file, uint64_t size)
{
    struct virtual_change *change = NULL;

    if (reserve(file, size))
        change = add_change(files, VIRTUAL_CHANGE_TRUNCATE, file);
    if (change == NULL)
        return ENOMEM;
    change->offset = size;
    resize(&file->shown, size);
    return 0;
}

struct name_set {
    const char *names[VIRTUAL_NAMES_MAX];
    size_t count;
    bool overflown;
};

static void add_to_set(struct name_set *set, const char *name)
{
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(set->names[i], name) == 0)
            return;
    if (set->count == VIRTUAL_NAMES_MAX)
        set->overflown = true;
    else
        set->names[set->count++] = name;
}

/* Whether a directory would hold name beside all that a crash could bring back. */
static bool has_room(const struct virtual_files *files, const char *name)
{
    struct name_set set = {.count = 0};

    add_to_set(&set, name);
    for (size_t i = 0; i < files->shown.count; i++)
        add_to_set(&set, files->shown.names[i].text);
    for (size_t i = 0; i < files->durable.count; i++)
        add_to_set(&set, files->durable.names[i].text);
    for (size_t i = 0; i < files->change_count; i++)
        if (is_of_names(&files->changes[i]))
            add_to_set(&set, files->changes[i].name);
    return !set.overflown;
}

static int change_name(struct virtual_files *files, enum virtual_change_kind kind,
                       struct virtual_file *file, const char *from, const char *name)
{
    struct virtual_change *change;

    if (!has_room(files, name))
        return ENOSPC;
    change = add_change(files, kind, file);
    if (change == NULL)
        return ENOMEM;
    memcpy(change->from, from, strlen(from) + 1);
    memcpy(change->name, name, strlen(name) + 1);
    apply_to_names(&files->shown, change);
    return 0;
}

int virtual_files_create(struct virtual_files *files, const char *name,
                         struct virtual_file **ret_file)
{
    struct virtual_file *file;
    int number;

    assert(strlen(name) < VIRTUAL_NAME_SIZE);
    assert(virtual_files_find(files, name) == NULL);
    file = calloc(1, sizeof(*file));
    if (file == NULL)
        return ENOMEM;
    number = change_name(files, VIRTUAL_CHANGE_CREATE, file, "", name);
    if (number != 0) {
        free(file);
        return number;
    }
    file->inode = ++files->inodes;
    file->next = files->first;
    files->first = file;
    *ret_file = file;
    return 0;
}

int virtual_files_delete(struct virtual_files *files, const char *name)
{
    assert(virtual_files_find(files, name) != NULL);
    return change_name(files, VIRTUAL_CHANGE_DELETE, NULL, "", name);
}

int virtual_files_rename(struct virtual_files *files, const char *from, const char *to)
{
    struct virtual_file *file = virtual_files_find(files, from);

    assert(file != NULL && strlen(to) < VIRTUAL_NAME_SIZE);
    return change_name(files, VIRTUAL_CHANGE_RENAME, file, from, to);
}

struct virtual_file *virtual_files_find(const struct virtual_files *files, const char *name)
{
    return find_file(&files->shown, name);
}

/* ---- Becoming durable. ---- */

static void apply(struct virtual_files *files, const struct virtual_change *change)
{
    if (is_of_names(change))
        apply_to_names(&files->durable, change);
    else if (change->kind == VIRTUAL_CHANGE_TRUNCATE)
        resize(&change->file->durable, change->offset);
    else
        put(&change->file->durable, change->offset, change->bytes, change->size);
}

/* Applies each sector of a write, or all of another change, with the given chance. Adds to
 * *ret_applied and *ret_missed what was and was not. */
static void apply_some(struct virtual_files *files, const struct virtual_change *change,
                       struct splitmix *lots, uint32_t chance_ppm, uint64_t *ret_applied,
                       uint64_t *ret_missed)
{
    uint64_t done = 0;

    if (change->kind != VIRTUAL_CHANGE_WRITE) {
        if (splitmix_happens(lots, chance_ppm)) {
            apply(files, change);
            ++*ret_applied;
        } else {
            ++*ret_missed;
        }
        return;
    }
    while (done < change->size) {
        uint64_t offset = change->offset + done;
        uint64_t size = VIRTUAL_SECTOR_SIZE - offset % VIRTUAL_SECTOR_SIZE;

        if (size > change->size - done)
            size = change->size - done;
        if (splitmix_happens(lots, chance_ppm)) {
            put(&change->file->durable, offset, change->bytes + done, size);
            ++*ret_applied;
        } else {
            ++*ret_missed;
        }
        done += size;
    }
}

static bool belongs(const struct virtual_change *change, const struct virtual_file *file)
{
    return file == NULL ? is_of_names(change) : is_of_file(change, file);
}

static void end_sync(struct virtual_files *files, const struct virtual_file *file)
{
    drop_changes(files, file == NULL ? is_of_directory : is_of_file, file);
    if (file == NULL)
        forget_files(files);
}

void virtual_files_sync(struct virtual_files *files, const struct virtual_file *file)
{
    for (size_t i = 0; i < files->change_count; i++)
        if (belongs(&files->changes[i], file))
            apply(files, &files->changes[i]);
    end_sync(files, file);
}

void virtual_files_sync_badly(struct virtual_files *files, struct virtual_file *file,
                              struct splitmix *lots)
{
    uint64_t applied = 0;
    uint64_t missed = 0;

    if (file == NULL) {
        if (splitmix_happens(lots, SPLITMIX_CERTAIN / 2))
            virtual_files_sync(files, NULL);
        return;
    }
    for (size_t i = 0; i < files->change_count; i++)
        if (belongs(&files->changes[i], file))
            apply_some(files, &files->changes[i], lots, SPLITMIX_CERTAIN / 2, &applied, &missed);
    if (missed > 0)
        file->forsaken = true;
    end_sync(files, file);
}

/* ---- Crashes. ---- */

/* Where a write is cut: at its start, in its middle, one byte before a sector is whole, or
 * anywhere. */
static uint64_t draw_cut(struct splitmix *lots, uint64_t size)
{
    switch (splitmix_below(lots, 4)) {
    case 0:
        return 0;
    case 1:
        return size / 2;
    case 2:
        return size < VIRTUAL_SECTOR_SIZE ? size - 1 : VIRTUAL_SECTOR_SIZE - 1;
    }
    return splitmix_between(lots, 0, size);
}

static void tear(struct virtual_files *files, struct splitmix *lots,
                 struct virtual_disk_stats *stats)
{
    size_t cut;

    if (files->change_count == 0)
        return;
    cut = splitmix_below(lots, files->change_count);
    for (size_t i = 0; i < cut; i++)
        apply(files, &files->changes[i]);
    if (files->changes[cut].kind == VIRTUAL_CHANGE_WRITE) {
        const struct virtual_change *change = &files->changes[cut];
        uint64_t size = draw_cut(lots, change->size);

        put(&change->file->durable, change->offset, change->bytes, size);
        if (size > 0 && size < change->size)
            stats->torn++;
        else if (size == 0)
            stats->lost++;
    } else {
        stats->lost++;
    }
    stats->lost += files->change_count - cut - 1;
}

static void shuffle(struct virtual_files *files, struct splitmix *lots,
                    struct virtual_disk_stats *stats)
{
    /* Half of everything is the widest choice, but leaves nothing long whole. */
    static const uint32_t chances[] = {SPLITMIX_CERTAIN / 16, SPLITMIX_CERTAIN / 2,
                                       SPLITMIX_CERTAIN / 16 * 15};
    uint32_t chance = chances[splitmix_below(lots, 3)];
    uint64_t missed = 0;

    for (size_t i = 0; i < files->change_count; i++) {
        uint64_t applied = 0;
        uint64_t missed_now = 0;

        apply_some(files, &files->changes[i], lots, chance, &applied, &missed_now);
        if (missed > 0 && applied > 0)
            stats->shuffled++;
        if (applied == 0)
            stats->lost++;
        else if (missed_now > 0)
            stats->torn++;
        missed += missed_now;
    }
}

/* Shows what is durable, and nothing else is there. */
static void show_durable(struct virtual_files *files)
{
    for (struct virtual_file *file = files->first; file != NULL; file = file->next) {
        if (file->durable.size > 0)
            memcpy(file->shown.bytes, file->durable.bytes, file->durable.size);
        file->shown.size = file->durable.size;
        file->forsaken = false;
    }
    files->shown = files->durable;
    drop_changes(files, is_any, NULL);
}

void virtual_files_restart(struct virtual_files *files, enum virtual_damage damage,
                           struct splitmix *lots, struct virtual_disk_stats *stats)
{
    for (const struct virtual_file *file = files->first; file != NULL; file = file->next)
        assert(file->opened == 0);
    if (damage != VIRTUAL_DAMAGE_TORN)
        drop_changes(files, is_dying, NULL);
    switch (damage) {
    case VIRTUAL_DAMAGE_NONE:
        forget_files(files); /* What was not synced is still shown, and still not synced. */
        return;
    case VIRTUAL_DAMAGE_LOST:
        stats->lost += files->change_count;
        break;
    case VIRTUAL_DAMAGE_TORN:
        tear(files, lots, stats);
        break;
    case VIRTUAL_DAMAGE_SHUFFLED:
        shuffle(files, lots, stats);
        break;
    case VIRTUAL_DAMAGES:
        assert(false);
    }
    show_durable(files);
    forget_files(files);
}

/* ---- All of it. ---- */

void virtual_files_clear(struct virtual_files *files)
{
    drop_changes(files, is_any, NULL);
    free(files->changes);
    while (files->first != NULL) {
        struct virtual_file *file = files->first;

        files->first = file->next;
        free_file(file);
    }
    memset(files, 0, sizeof(*files));
}

void virtual_files_open(struct virtual_file *file)
{
    file->opened++;
}

void virtual_files_close(struct virtual_files *files, struct virtual_file *file)
{
    assert(file->opened > 0);
    file->opened--;
    forget_files(files);
}

bool virtual_files_put(struct virtual_files *files, const char *name, const uint8_t *bytes,
                       uint64_t size)
{
    struct virtual_file *file;

    if (virtual_files_create(files, name, &file) != 0)
        return false;
    virtual_files_sync(files, NULL);
    if (virtual_files_write(files, file, 0, bytes, size) != 0)
        return false;
    virtual_files_sync(files, file);
    return true;
}

uint64_t virtual_files_used(const struct virtual_files *files)
{
    uint64_t used = 0;

    for (size_t i = 0; i < files->shown.count; i++)
        used += files->shown.names[i].file->shown.size;
    for (const struct virtual_file *file = files->first; file != NULL; file = file->next) {
        bool named = false;

        for (size_t i = 0; i < files->shown.count; i++)
            named = named || files->shown.names[i].file == file;
        if (!named && file->opened > 0)
            used += file->shown.size;
    }
    return used;
}

static bool is_unsynced(const struct virtual_files *files, const struct virtual_file *file)
{
    for (size_t i = 0; i < files->change_count; i++)
        if (is_of_file(&files->changes[i], file) && !files->changes[i].dying)
            return true;
    return file->forsaken && !is_same(&file->shown, &file->durable);
}

static bool is_name_unsynced(const struct virtual_files *files, const char *name)
{
    const struct virtual_file *shown = find_file(&files->shown, name);

    return shown != find_file(&files->durable, name) ||
           (shown != NULL && is_unsynced(files, shown));
}

bool virtual_files_are_unsynced(const struct virtual_files *files, const char *name)
{
    if (name != NULL)
        return is_name_unsynced(files, name);
    for (size_t i = 0; i < files->shown.count; i++)
        if (is_name_unsynced(files, files->shown.names[i].text))
            return true;
    for (size_t i = 0; i < files->durable.count; i++)
        if (is_name_unsynced(files, files->durable.names[i].text))
            return true;
    return false;
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
    struct splitmix step = {hash ^ word};

    return splitmix_next(&step);
}

static uint64_t hash_bytes(uint64_t hash, const uint8_t *bytes, uint64_t size)
{
    hash = mix(hash, size);
    for (uint64_t done = 0; done < size; done += sizeof(uint64_t)) {
        uint64_t left = size - done;
        uint64_t word = 0;

        memcpy(&word, bytes + done, left < sizeof(word) ? left : sizeof(word));
        hash = mix(hash, word);
    }
    return hash;
}

uint64_t virtual_files_hash(const struct virtual_files *files)
{
    uint64_t sum = 0; /* So that the order of names does not matter. */

    for (size_t i = 0; i < files->shown.count; i++) {
        const struct virtual_name *name = &files->shown.names[i];
        uint64_t hash = hash_bytes(1, (const uint8_t *)name->text, strlen(name->text));

        sum += hash_bytes(hash, name->file->shown.bytes, name->file->shown.size);
    }
    for (size_t i = 0; i < files->durable.count; i++) {
        const struct virtual_name *name = &files->durable.names[i];
        uint64_t hash = hash_bytes(2, (const uint8_t *)name->text, strlen(name->text));

        sum += hash_bytes(hash, name->file->durable.bytes, name->file->durable.size);
    }
    return mix(sum, files->shown.count);
}
